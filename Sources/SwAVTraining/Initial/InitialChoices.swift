/// What becomes of a part of the network that other weights begin a run.
public enum InitialHead: String, Codable, Sendable, CaseIterable {
  /// As the file has it.
  case keep
  /// As in a run that begins anew.
  case random
}

/// The same of the prototypes.
public enum InitialPrototypes: String, Codable, Sendable, CaseIterable {
  case keep, random
  /// The centres of spherical k-means over the embeddings of the run's images.
  case kmeans
}

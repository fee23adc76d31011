extension PretrainConfiguration {
  /// Values that do nothing in a run of `images` images an epoch, as those that were made for a large data set on a small one.
  func valuesWithoutEffect(images: Int) -> [SettingWithoutEffect] {
    let stepsPerEpoch = max(1, images / batch)
    let steps = steps(stepsPerEpoch: stepsPerEpoch).total
    let epochs = (steps - 1) / stepsPerEpoch + 1
    var found: [SettingWithoutEffect] = []
    let frozen = frozenSteps(stepsPerEpoch: stepsPerEpoch)
    if frozen >= steps {
      let (name, value) = freezeSteps.map { ("freeze-steps", "\($0)") } ?? ("freeze-epochs", "\(freezeEpochs)")
      found.append(.init(name, value: value, reason: "the run has \(steps) steps, so the prototypes never learn"))
    }
    found += queueWithoutEffect(images: images, stepsPerEpoch: stepsPerEpoch, steps: steps)
    found += warmupWithoutEffect(stepsPerEpoch: stepsPerEpoch, steps: steps)
    for count in Set(prototypes).sorted() {
      let text = prototypes.map(\.description).joined(separator: ",")
      let rows = batch + (queueFills(stepsPerEpoch: stepsPerEpoch, steps: steps) ? queue : 0)
      if count > images {
        found.append(.init("prototypes", value: text, reason: "\(images) images cannot fill \(count) prototypes"))
      } else if count > 4 * rows {
        found.append(
          .init(
            "prototypes", value: text, reason: "codes are balanced over \(rows) images at a time, which cannot fill \(count)"))
      }
    }
    if keepEvery > epochs {
      found.append(.init("keep-every", value: "\(keepEvery)", reason: "the run has \(epochs) epochs, so no weights are kept"))
    }
    return found
  }

  /// Whether the queue is full before the last step, and so used at all.
  private func queueFills(stepsPerEpoch: Int, steps: Int) -> Bool {
    queue > 0 && queueStartEpoch * stepsPerEpoch + queue / batch < steps
  }

  private func queueWithoutEffect(images: Int, stepsPerEpoch: Int, steps: Int) -> [SettingWithoutEffect] {
    guard queue > 0 else { return [] }
    let epochs = (steps - 1) / stepsPerEpoch + 1
    if queueStartEpoch >= epochs {
      return [
        .init(
          "queue-start-epoch", value: "\(queueStartEpoch)",
          reason: "the run has \(epochs) epochs, counted from 0, so the queue of \(queue) is never used")
      ]
    }
    guard queueFills(stepsPerEpoch: stepsPerEpoch, steps: steps) else {
      let passing = (steps - queueStartEpoch * stepsPerEpoch) * batch
      return [
        .init(
          "queue", value: "\(queue)",
          reason: "it holds \(queue) and is used once it is full, and \(passing) images pass after its start")
      ]
    }
    guard queue <= images else {
      return [
        .init(
          "queue", value: "\(queue)",
          reason:
            "longer than an epoch of \(images) images: it holds embeddings of the same images several times, of old weights")
      ]
    }
    return []
  }

  private func warmupWithoutEffect(stepsPerEpoch: Int, steps: Int) -> [SettingWithoutEffect] {
    let (warmup, value) = (schedule(stepsPerEpoch: stepsPerEpoch).warmupSteps, plain(warmupEpochs))
    guard warmupEpochs > 0 else { return [] }
    if warmup >= steps {
      let epochs = (steps - 1) / stepsPerEpoch + 1
      return [
        .init(
          "warmup-epochs", value: value,
          reason: "the run has \(epochs) epochs, so the rate only grows and ends before it reaches base-lr \(baseLR)")
      ]
    }
    // The first of many steps is nothing to speak of.
    guard warmup == 1, steps > 1, startWarmup == 0 else { return [] }
    return [
      .init("warmup-epochs", value: value, reason: "its only step has rate 0 and learns nothing; start-warmup sets another")
    ]
  }
}

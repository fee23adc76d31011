/* embed WEIGHTS IMAGE: prints the embedding of one image, a number a line. */
#include <stdio.h>
#include <stdlib.h>
#include <swav.h>

static int failed(const char *what) {
  fprintf(stderr, "embed: %s: %s\n", what, swav_error_message());
  return 1;
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: embed WEIGHTS IMAGE\n");
    return 64;
  }
  static unsigned char bytes[1 << 24];
  FILE *file = fopen(argv[2], "rb");
  if (!file) return perror(argv[2]), 1;
  const size_t size = fread(bytes, 1, sizeof bytes, file);
  fclose(file);

  swav_network *network = NULL;
  swav_network_info info;
  if (swav_network_open(argv[1], NULL, &network, NULL) != SWAV_OK) return failed(argv[1]);
  if (swav_network_describe(network, &info) != SWAV_OK) return failed(argv[1]);
  float *embedding = malloc((size_t)info.config.dim * sizeof *embedding);
  if (!embedding) return perror("embed"), 1;
  if (swav_network_embed_bytes(network, bytes, size, 0, SWAV_OUTPUT_EMBEDDINGS, embedding) != SWAV_OK) return failed(argv[2]);
  for (int i = 0; i < info.config.dim; ++i) printf("%.9g\n", embedding[i]);
  free(embedding);
  swav_network_destroy(network);
  return 0;
}

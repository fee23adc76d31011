/* swav.h: SwAV (Caron et al., NeurIPS 2020) on the CPU; the whole C interface of the engine.
 *
 * Learn visual features from unlabelled images by contrasting cluster assignments, then embed images.
 * The sections follow an image on its way: bytes -> crops -> embeddings -> scores -> codes -> loss -> update.
 *
 *     swav_network *network = NULL;
 *     if (swav_network_open("weights.safetensors", NULL, &network, NULL) != SWAV_OK) {
 *       fprintf(stderr, "%s\n", swav_error_message());
 *       return 1;
 *     }
 *     float features[512];                                  // ResNet-18's; feature_dim of swav_network_describe says how many
 *     swav_network_embed_bytes(network, jpeg, jpeg_size, 224, SWAV_OUTPUT_FEATURES, features);
 *     swav_network_destroy(network);
 *
 * Threads: every function may be called from any thread, and no handle needs a lock. Calls on networks and trainers, and those
 * of the objective and the evaluation, are carried out one after the other by one engine thread, which owns the team of worker
 * threads: a call sees the whole of those before it and nothing of those after it. What looks only at what never changes
 * (swav_network_describe, _tensor, swav_trainer_memory) does not wait for its turn. Image functions run on the calling thread,
 * in parallel with everything else; an image never changes, so several threads may read one. Destroying a handle while another
 * call uses it is an error of the caller.
 * A calling thread needs SWAV_STACK_BYTES of stack.
 * Processes: fork() waits for the computing call under way, if there is one, and then both processes may go on with all
 * handles, each with its own copy; the child starts threads of its own when it first computes. A copy made without the handlers
 * of fork() (_Fork, clone) fails with SWAV_ERROR_UNSUPPORTED when it computes. A shared library stays loaded after dlclose.
 * Errors: functions return a swav_status; nothing is written to outputs on failure unless the comment says so; nothing
 * prints or ends the process. Outputs come last.
 * Memory: the engine owns its handles and arenas; every array that crosses is the caller's, borrowed for the call. Pointers
 * may not be NULL unless the comment says so; no alignment is required. Arrays are dense, last dimension fastest.
 * Determinism: same inputs, same build, same instruction set: same bits, whatever the number of threads. Numbers in files and
 * messages have a decimal point, whatever the locale.
 * Version: the header and the library belong together; compare SWAV_VERSION with swav_version() at start.
 */
#ifndef SWAV_H
#define SWAV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A caller in C may pass any int for an enumerator, and the functions refuse those they do not know. C++ allows that for an
 * enumeration of a fixed type only. */
#ifdef __cplusplus
#define SWAV_OF_INT : int
extern "C" {
#else
#define SWAV_OF_INT
#endif

/* ---- Status and runtime ------------------------------------------------------------------------------------------- */

#define SWAV_VERSION 100 /* major * 10000 + minor * 100 + patch */

/* What the functions use of the calling thread's stack, at most; a tenth of it in most calls. */
#define SWAV_STACK_BYTES 131072

typedef enum swav_status SWAV_OF_INT {
  SWAV_OK = 0,
  SWAV_ERROR_ARGUMENT = 1,    /* a value outside what the function's comment allows; the message names it */
  SWAV_ERROR_IO = 2,          /* the operating system refused to open, read, write, flush or rename a file */
  SWAV_ERROR_FORMAT = 3,      /* bytes that are not what they claim: damaged image, truncated weights, wrong shape */
  SWAV_ERROR_UNSUPPORTED = 4, /* well-formed, but not something this build can do */
  SWAV_ERROR_LIMIT = 5,       /* more pixels, dimensions or bytes than the stated limit */
  SWAV_ERROR_MEMORY = 6,      /* an allocation failed, or a plan needs more than this process may take */
  SWAV_ERROR_NUMERIC = 7,     /* a value is not finite; the message names the first stage where it appeared */
  SWAV_ERROR_INTERNAL = 8,    /* a defect of the engine; please report the message */
  SWAV_ERROR_CANCELLED = 9    /* called off by the flag of swav_watch_cancellation */
} swav_status;

/* What went wrong in the last failing call on this thread, one line, UTF-8. Owned by the engine, valid until the next
 * failing call on this thread; empty if there was none. */
const char *swav_error_message(void);

/* SWAV_VERSION of the library that is linked. */
int32_t swav_version(void);

typedef struct swav_runtime_info {
  int32_t version;
  int32_t threads;       /* size of the team for calls of this thread */
  char threads_from[96]; /* what decided about it, for a person: "the cores of this machine", "OMP_NUM_THREADS", ... */
  int32_t cores;         /* that the process can use at a time: by affinity and the CPU quota of its control group */
  char isa[16];          /* instruction set of the kernels in use: "avx512", "avx2" or "baseline" */
  char cpu[64];          /* model name as the operating system gives it */
  char build[64];        /* compiler and its version */
  char features[128];    /* instruction set extensions of the CPU that matter here, separated by spaces */
  char used[128];        /* those of them that SWAV_MAX_ISA leaves */
  char bfloat16[16];     /* how products of bfloat16 are computed: "amx", "avx512_bf16", or "widened": as those of float32 */
  bool fast_bfloat16;    /* whether they are faster than products of float32 */
} swav_runtime_info;

/* The environment variable SWAV_MAX_ISA caps the extensions in use, each name allowing what those after it do and more: amx,
 * avx512_bf16, avx512 (with VNNI), avx2 (with FMA), baseline. It is read once; another name is an error of every call. */
swav_status swav_runtime(swav_runtime_info *info);

/* Bytes of memory that this process may still take: what the machine has without swapping, what its container and the limits on
 * address space leave, less a sixteenth; what plans have reserved counts as taken. INT64_MAX: nothing limits. Plans of the
 * engine are compared with it by themselves; this is for what a host keeps beside them. */
swav_status swav_memory_room(int64_t *bytes);

/* Multiplications and additions of float32 a second (1e9), at most, of the team with the kernels in use: measured for
 * about a tenth of a second. */
swav_status swav_measure_peak(double *gflops);

/* Sets the number of threads that compute for this process, 1 to 4096. 0, the default: OMP_NUM_THREADS where it is set, else
 * one for each core that the process can use at a time: its cores by affinity, or its control group's CPU quota, rounded up,
 * where that is less. OMP_THREAD_LIMIT bounds all of them. A call that is under way keeps its number. */
swav_status swav_set_threads(int32_t threads);

/* The same for computing calls of the calling thread alone, whatever the process has; 0: as the process. *previous, which may
 * be NULL, gets the number before, so that it can be given back. Not within a callback, whose call has its threads already. */
swav_status swav_set_caller_threads(int32_t threads, int32_t *previous);

/* Lets calls be called off. While *flag is not 0, a call of this thread that computes for long (training step, embedding,
 * calibration, objective, evaluation) ends with SWAV_ERROR_CANCELLED, soon even in the middle of a large step: all state is
 * then as before the call, arrays that it was writing to are undefined. Any thread (by an atomic store) or signal handler may
 * set the flag; it is the caller's and has to live until another one, or NULL, takes its place. Returns the flag that was
 * watched before; NULL at start. */
const volatile int32_t *swav_watch_cancellation(const volatile int32_t *flag);

/* Whether the flag that this thread watches is set: for the caller's own loops. */
bool swav_is_cancelled(void);

/* ---- Image: bytes -> pixels -> crops ------------------------------------------------------------------------------ */

#define SWAV_MAX_CHANNELS 4
#define SWAV_MAX_GROUPS 8
#define SWAV_MAX_PIXELS 4290250000 /* of a picture: 65,500 squared */
#define SWAV_MAX_DIMENSION 1048576

/* A decoded picture: 8 or 16 bit samples, [height][width][channels], upright. The orientation is what EXIF data say; in PNG
 * these are the chunk eXIf before or behind the pixels, or a text "Raw profile type exif". Where EXIF data say nothing, XMP
 * does. (Browsers do not look at texts and XMP; Pillow's exif_transpose does.) */
typedef struct swav_image swav_image;

typedef enum swav_image_format SWAV_OF_INT {
  SWAV_FORMAT_UNKNOWN = 0,
  SWAV_FORMAT_JPEG = 1,
  SWAV_FORMAT_PNG = 2,
  SWAV_FORMAT_WEBP = 3,
  SWAV_FORMAT_BMP = 4,
  SWAV_FORMAT_PNM = 5,
  SWAV_FORMAT_GIF = 6,  /* the first frame of GIF, WebP and PNG animations */
  SWAV_FORMAT_TIFF = 7, /* the first page; whole numbers of up to 16 bits */
  SWAV_FORMAT_HEIC = 8, /* this and AVIF where libheif is installed, else SWAV_ERROR_UNSUPPORTED; in 8 bits */
  SWAV_FORMAT_AVIF = 9
} swav_image_format;

/* Pictures of four inks (CMYK) become RGB without a colour profile. A JPEG with Adobe's marker has them inverted, 255 being no
 * ink; without the marker they are taken as they are. */
typedef enum swav_inks {
  SWAV_INKS_NONE = 0,    /* gray or RGB is stored */
  SWAV_INKS_PLAIN = 1,   /* 255 is full ink; in a JPEG: no marker, and some programs write inverted inks all the same */
  SWAV_INKS_INVERTED = 2 /* a JPEG with Adobe's marker */
} swav_inks;

typedef struct swav_image_info {
  int32_t width, height; /* upright */
  int32_t channels;      /* 1 gray or 3 RGB */
  int32_t bits;          /* 8 or 16 a sample */
  swav_image_format format;
  swav_inks inks; /* of the stored picture */
  bool has_alpha; /* the stored picture may be transparent: a channel for it, or a colour that is marked so */
  bool has_more;  /* further frames or pages follow, which are left out */
} swav_image_info;

typedef struct swav_decode_options {
  int32_t channels;      /* 1 or 3: convert to it; 0: as stored (1 or 3) */
  int32_t bits;          /* 8: reduce 16-bit samples; 0: as stored */
  int64_t max_pixels;    /* refuse larger pictures with SWAV_ERROR_LIMIT; 1 to SWAV_MAX_PIXELS */
  int32_t max_dimension; /* the same for width and height; 1 to SWAV_MAX_DIMENSION */
  float background[3];   /* 0..1, what shows through transparency; negative: drop alpha, as Pillow's convert("RGB") does */
} swav_decode_options;

/* 3 channels, 8 bit, 178,956,970 pixels (more than that Pillow refuses as a decompression bomb), SWAV_MAX_DIMENSION, alpha
 * dropped.
 */
swav_decode_options swav_decode_options_default(void);

/* Reads the header only: format and upright size of an encoded image. Microseconds, whatever the file claims. */
swav_status swav_image_probe(const void *bytes, size_t size, swav_image_info *info);

/* Decodes a whole image. options may be NULL for the default. *image is the caller's to destroy. */
swav_status swav_image_decode(const void *bytes, size_t size, const swav_decode_options *options, swav_image **image);

/* Copies samples [height][width][channels] (uint8_t or uint16_t, as bits says) into a new image. Sides of 1 to 65500 pixels are
 * allowed, here and by the two encoders. */
swav_status swav_image_create(const void *samples, int32_t width, int32_t height, int32_t channels, int32_t bits,
                              swav_image **image);

swav_status swav_image_describe(const swav_image *image, swav_image_info *info);

/* The samples, borrowed until the image is destroyed. */
const void *swav_image_samples(const swav_image *image);

/* Mean and mean square of each channel's samples as shares of their maximum, in 0..1: mean, mean_square [channels]. Averaged
 * over images they give normalisation statistics: std = sqrt(mean_square - mean^2). */
swav_status swav_image_moments(const swav_image *image, double *mean, double *mean_square);

/* NULL does nothing. */
void swav_image_destroy(swav_image *image);

/* Encodes 8-bit samples [height][width][channels] (1 or 3) as baseline JPEG, quality 1..100, into `buffer` of `capacity` bytes.
 * *size gets the length. When capacity is too small: SWAV_ERROR_LIMIT, and *size is set to what is needed. */
swav_status swav_image_encode_jpeg(const uint8_t *samples, int32_t width, int32_t height, int32_t channels, int32_t quality,
                                   void *buffer, size_t capacity, size_t *size);

/* The same as PNG. */
swav_status swav_image_encode_png(const uint8_t *samples, int32_t width, int32_t height, int32_t channels, void *buffer,
                                  size_t capacity, size_t *size);

/* One group of crops of equal size, as "2x224" with its area fractions. */
typedef struct swav_crop_group {
  int32_t count;   /* 1..1024 */
  int32_t size;    /* pixels a side, 1..8192 */
  float min_scale; /* area fraction of the image, above 0 and at most 1, uniform between the two */
  float max_scale;
} swav_crop_group;

/* How the arithmetic of a crop is carried out. */
typedef enum swav_precision SWAV_OF_INT {
  SWAV_PRECISION_FAST = 0, /* vector kernels: 0.003 of 255 levels off on average over whole chains, 1 at the 99.9th percentile;
                              with reduced decoding of large photos 0.3 and 6. 16-bit images take the exact path */
  SWAV_PRECISION_EXACT = 1 /* Pillow's results to the bit: the readable twin */
} swav_precision;

/* Multi-crop augmentation (paper section 3.2 and appendix A; torchvision and Pillow semantics). */
typedef struct swav_recipe {
  swav_crop_group groups[SWAV_MAX_GROUPS];
  int32_t group_count;
  int32_t channels;             /* 1 or 3; hue, saturation and grayscale need 3 and are skipped for 1 */
  float min_aspect, max_aspect; /* width / height, log-uniform; above 1e-6, below 1e6 */
  float flip_probability;
  float jitter_probability;
  float brightness, contrast, saturation; /* strengths 0..100: factors U(max(0, 1-s), 1+s) */
  float hue;                              /* 0..0.5: shift U(-h, h) of the circle */
  float grayscale_probability;
  float blur_probability;
  float min_sigma, max_sigma;                            /* Gaussian blur, in output pixels, 0..64 */
  float mean[SWAV_MAX_CHANNELS], std[SWAV_MAX_CHANNELS]; /* of samples in 0..1 */
  swav_precision precision;
} swav_recipe;

/* The published recipe: 2x224 (0.14, 1) + 6x96 (0.05, 0.14), aspect 3/4..4/3, flip 0.5, jitter 0.8 of (0.8, 0.8, 0.8, 0.2),
 * grayscale 0.2, blur 0.5 of 0.1..2, mean (0.485, 0.456, 0.406), std (0.228, 0.224, 0.225), fast. */
swav_recipe swav_recipe_default(void);

typedef enum swav_color_operation SWAV_OF_INT {
  SWAV_COLOR_BRIGHTNESS = 0,
  SWAV_COLOR_CONTRAST = 1,
  SWAV_COLOR_SATURATION = 2,
  SWAV_COLOR_HUE = 3
} swav_color_operation;

/* Every decision about one crop. Pixels are touched later, by swav_crop_execute. The source box is resized to
 * (resized_width, resized_height) with Pillow's antialiased bilinear filter; the window of size x size pixels at
 * (offset_x, offset_y) of that is kept. A training crop keeps all of it. */
typedef struct swav_crop_plan {
  int32_t left, top, width, height; /* source box in the upright image */
  int32_t resized_width, resized_height;
  int32_t offset_x, offset_y;
  int32_t size;
  bool flip;
  bool jitter;
  bool grayscale;
  bool blur;
  uint8_t color_order[4]; /* swav_color_operation, in the order of execution */
  float color_factor[4];  /* indexed by swav_color_operation */
  float sigma;
} swav_crop_plan;

/* Decides crop number `crop` (0..V-1, group after group) of sample `sample` in epoch `epoch`: a pure function of the arguments.
 */
swav_status swav_crop_plan_sample(const swav_recipe *recipe, uint64_t seed, uint64_t epoch, uint64_t sample, int32_t crop,
                                  int32_t image_width, int32_t image_height, swav_crop_plan *plan);

/* The evaluation view: shorter side to round(size * 256 / 224), centre crop of size x size. */
swav_status swav_crop_plan_centre(int32_t size, int32_t image_width, int32_t image_height, swav_crop_plan *plan);

/* The whole image squeezed to size x size: the thumbnail of the raw-pixel floor. */
swav_status swav_crop_plan_whole(int32_t size, int32_t image_width, int32_t image_height, swav_crop_plan *plan);

/* Carries a plan out: `pixels` [size][size][channels] float32, normalised by the recipe's mean and std. The image must have
 * recipe->channels channels. Pillow's 8-bit rounding after each operation. */
swav_status swav_crop_execute(const swav_image *image, const swav_crop_plan *plan, const swav_recipe *recipe, float *pixels);

/* The same before normalisation, as 8-bit samples: what a person sees. */
swav_status swav_crop_render(const swav_image *image, const swav_crop_plan *plan, uint8_t *samples);

/* Bytes to all V crops of one sample: decode once, plan and execute every crop. outputs[v] is where crop v goes
 * ([size][size][channels] float32), V pointers. options may be NULL; recipe->channels decides about the channels, and the bits:
 * one channel keeps samples of 16 bits through the whole chain, three are reduced to 8 when decoded. The fast path
 * decodes of a JPEG only the rows and columns that the crops need, reduced where every crop shrinks it by four or more. Of a
 * TIFF only strips and tiles are decoded that some crop touches. */
swav_status swav_multicrop(const void *bytes, size_t size, const swav_decode_options *options, const swav_recipe *recipe,
                           uint64_t seed, uint64_t epoch, uint64_t sample, float *const *outputs);

/* The sample at `position` (0..count-1) of an epoch: a permutation that depends on (seed, epoch, count) only, in O(1). */
uint64_t swav_epoch_order(uint64_t seed, uint64_t epoch, uint64_t count, uint64_t position);

/* ---- Network: batch -> features -> embeddings -> scores ------------------------------------------------------------ */

/* What the checks below allow at most. Other languages take the ranges of their settings from here. */
#define SWAV_MAX_HEADS 8
/* Pixels a side of the images that a network takes. */
#define SWAV_MIN_SIDE 8
#define SWAV_MAX_SIDE 16384
#define SWAV_MAX_BASE_WIDTH 512
#define SWAV_MAX_HIDDEN 65536
#define SWAV_MAX_DIM 16384
#define SWAV_MAX_PROTOTYPES 1048576

/* A ResNet v1.5 with projection head and prototypes, its parameters and its batch-norm buffers. */
typedef struct swav_network swav_network;

typedef enum swav_stem SWAV_OF_INT {
  SWAV_STEM_IMAGENET = 0, /* 7x7 stride 2, batch-norm, ReLU, 3x3 stride 2 max-pool */
  SWAV_STEM_SMALL = 1     /* 3x3 stride 1, batch-norm, ReLU: for images of 32 to 64 pixels */
} swav_stem;

typedef struct swav_network_config {
  int32_t depth;      /* 18, 34 or 50 */
  int32_t width;      /* multiplier of every channel count, 1..16; 1, 2, 4 and 5 are published */
  int32_t base_width; /* channels of the stem before the multiplier, 1..SWAV_MAX_BASE_WIDTH; 64 is the published one */
  swav_stem stem;
  int32_t channels;                   /* of the input images, 1..SWAV_MAX_CHANNELS */
  int32_t hidden;                     /* width of the head's hidden layer, 0..SWAV_MAX_HIDDEN; 0: one linear layer */
  int32_t dim;                        /* D, length of an embedding, 0..SWAV_MAX_DIM; 0: no head and no prototypes */
  int32_t head_count;                 /* sets of prototypes, 0..SWAV_MAX_HEADS */
  int32_t prototypes[SWAV_MAX_HEADS]; /* K of each, 2..SWAV_MAX_PROTOTYPES */
  bool plain_head; /* no batch-norm between the two layers of the projection head (hidden > 0), as in the published w5 */
} swav_network_config;

/* ResNet-50, ImageNet stem, 3 channels, hidden 2048, dim 128, one set of 3000 prototypes, batch-norm in the head. */
swav_network_config swav_network_config_default(void);

/* Initialised as the published program does (Kaiming-normal convolutions, uniform linear layers), from counter-based random
 * numbers. */
swav_status swav_network_create(const swav_network_config *config, uint64_t seed, swav_network **network);

/* A network of its own with equal tensors, input description and calibration. */
swav_status swav_network_copy(const swav_network *network, swav_network **copy);

/* NULL does nothing. */
void swav_network_destroy(swav_network *network);

typedef struct swav_network_info {
  swav_network_config config;
  int32_t feature_dim;     /* length of the pooled backbone features */
  int64_t parameter_count; /* without buffers */
  int64_t tensor_count;    /* parameters and buffers */
} swav_network_info;

swav_status swav_network_describe(const swav_network *network, swav_network_info *info);

typedef enum swav_tensor_kind SWAV_OF_INT {
  SWAV_TENSOR_PARAMETER = 0, /* float32, learned */
  SWAV_TENSOR_BUFFER = 1,    /* float32, running mean or variance of a batch-norm */
  SWAV_TENSOR_COUNTER = 2    /* int64 scalar, num_batches_tracked */
} swav_tensor_kind;

/* What one tensor is; its numbers are in torchvision's order (convolutions [out][in][height][width]). Never changes. */
typedef struct swav_tensor {
  const char *name; /* torchvision's key, "projection_head.*" or "prototypes.weight"; the network's memory */
  swav_tensor_kind kind;
  int32_t rank;
  int64_t shape[4];
  int64_t count; /* of numbers */
} swav_tensor;

/* index 0 to swav_network_info.tensor_count - 1. */
swav_status swav_network_tensor(const swav_network *network, int64_t index, swav_tensor *tensor);

/* Copies the numbers of a tensor out of the network or into it: `count` floats, or one int64_t of a counter; count is the
 * tensor's. What is computed after a write is computed with it. */
swav_status swav_network_read_tensor(const swav_network *network, int64_t index, void *values, int64_t count);
swav_status swav_network_write_tensor(swav_network *network, int64_t index, const void *values, int64_t count);

/* Which part of a file is loaded. */
typedef struct swav_load_options {
  /* Of the keys of the encoder that is meant, or a part of that prefix between dots ("teacher"), where a file holds several
   * (student and teacher, query and key); "." is no prefix. The error of a call without it lists them. NULL: the only one. */
  const char *prefix;
  bool skip_head; /* as if the file held no projection head, and no prototypes */
  bool skip_prototypes;
} swav_load_options;

/* What loading found. Lists of names are cut with "...". */
typedef struct swav_load_report {
  char architecture[32]; /* "resnet50w2" */
  char format[32];       /* "safetensors", "PyTorch's zip archive", ... */
  char names[64];        /* whose names of tensors the file uses: "torchvision", "lightly", ... */
  char prefix[256];      /* of the encoder's keys, with its dot; empty: none */
  bool guessed;          /* the network was deduced from names and shapes, as the file's metadata does not say it */
  int64_t matched;       /* tensors of the network that were filled */
  int64_t converted;     /* of these: stored as another number type, or a counter in another shape */
  int64_t missing;       /* tensors of the network that the file lacks, and that are as before; counters do not count */
  int64_t unexpected;    /* tensors of the file that are not the network's; optimiser state does not count */
  char missing_names[512];
  char unexpected_names[512];
  char summary[1024]; /* all of this in one line, for people */
} swav_load_report;

/* Fills an existing network from a file of tensors: safetensors, alone or in parts (the path of X.safetensors.index.json), a
 * PyTorch checkpoint (.pth, .pt, .bin, .torch, .ckpt; both layouts; its pickle is read as data and never executed), or a
 * checkpoint of this library. Known are the names of tensors of this library and the published files, torchvision, timm,
 * lightly, VISSL, MoCo and DeepCluster-v2, under any prefix ("module.", "backbone.", "state_dict.", ...). Numbers of 16, 32 and
 * 64 bits and integers are converted. Fails, and leaves the network as it was, when a shape differs, when a tensor of the
 * backbone is missing (SWAV_ERROR_FORMAT), or when a value is not finite or a variance is negative (SWAV_ERROR_NUMERIC naming
 * tensor and index). options and report may be NULL. */
swav_status swav_network_load(swav_network *network, const char *path, const swav_load_options *options,
                              swav_load_report *report);

/* Creates a network as the file describes and fills it, all of it: by the metadata of a file of this library, else by names and
 * shapes, which the report then says. options and report may be NULL. */
swav_status swav_network_open(const char *path, const swav_load_options *options, swav_network **network,
                              swav_load_report *report);

/* What an input has to look like; travels with the weights. */
typedef struct swav_input_description {
  int32_t size; /* of evaluation crops */
  float mean[SWAV_MAX_CHANNELS], std[SWAV_MAX_CHANNELS];
} swav_input_description;

/* Of the last swav_network_open, _load or _describe_input. Before, and where a file does not say: 224 pixels, the published
 * recipe's mean (0.485, 0.456, 0.406) and std (0.228, 0.224, 0.225). */
swav_status swav_network_input(const swav_network *network, swav_input_description *input);
swav_status swav_network_describe_input(swav_network *network, const swav_input_description *input);

/* Writes all tensors as safetensors: to a file aside, flushed, renamed. The metadata says the network, the input and the
 * version of the engine (key "swav", JSON). SWAV_ERROR_NUMERIC when a parameter or buffer is not finite: what was in the file
 * stays. */
swav_status swav_network_save(const swav_network *network, const char *path);

/* Files that other programs read. */
typedef enum swav_tensor_format SWAV_OF_INT {
  SWAV_TENSORS_SAFETENSORS = 0,
  SWAV_TENSORS_TORCH = 1 /* PyTorch's zip archive, which torch.load(weights_only=True) reads; less than 4 GiB */
} swav_tensor_format;

/* Whose names the tensors have. torchvision's are those of timm and mmdet as well. */
typedef enum swav_keys SWAV_OF_INT {
  SWAV_KEYS_TORCHVISION = 0, /* "conv1.weight", "layer1.0.bn1.running_mean" */
  /* The same for timm's ResNet, whose stem has 64 channels whatever the width: a narrower one is filled up with channels of
   * zero. SWAV_ERROR_UNSUPPORTED for what timm has not: a wider or a small stem, a ResNet-50 of base width 16. */
  SWAV_KEYS_TIMM = 1,
  SWAV_KEYS_DETECTRON2 = 2, /* "stem.conv1.weight", "res2.0.conv1.norm.running_mean"; as PyTorch's below the key "model" */
  SWAV_KEYS_MMDET = 3       /* as PyTorch's below the key "state_dict" */
} swav_keys;

typedef struct swav_export_options {
  swav_tensor_format format;
  swav_keys keys;
  bool head; /* with projection head and prototypes, under the names that they have here */
} swav_export_options;

/* Writes the network for others: to a file aside, flushed, renamed. options may be NULL: the backbone as safetensors under
 * torchvision's names. SWAV_ERROR_NUMERIC when a parameter or buffer is not finite: what was in the file stays. */
swav_status swav_network_export(const swav_network *network, const char *path, const swav_export_options *options);

typedef enum swav_output SWAV_OF_INT {
  SWAV_OUTPUT_FEATURES = 0,   /* pooled backbone features [N][feature_dim] */
  SWAV_OUTPUT_EMBEDDINGS = 1, /* after the head, unit norm [N][dim] */
  SWAV_OUTPUT_SCORES = 2,     /* cosines with the prototypes of the first head [N][K] */
  /* The maps behind layer1, layer2 and layer3, each its mean over the pixels [N][channels]; float32 only. The mean of layer4's
   * is SWAV_OUTPUT_FEATURES. */
  SWAV_OUTPUT_STAGE1 = 3,
  SWAV_OUTPUT_STAGE2 = 4,
  SWAV_OUTPUT_STAGE3 = 5,
  SWAV_OUTPUT_GRID = 6 /* the last map in four overlapping windows, a pixel smaller than it each way, averaged
                          [N][feature_dim][2][2]: 8192 numbers of a ResNet-50 */
} swav_output;

/* Inference with running batch-norm statistics, which are folded into the weights. images [count][height][width][channels],
 * normalised, 0 to 2^31 - 1 of them, SWAV_MIN_SIDE to SWAV_MAX_SIDE pixels a side. After a failure the result of this and of
 * the functions below is undefined. */
swav_status swav_network_embed(swav_network *network, swav_output output, const float *images, int64_t count, int32_t height,
                               int32_t width, float *result);

/* The same for one encoded image: decode, centre crop of crop_size x crop_size (0: the network's input size), normalise as the
 * network's input description says, embed. Decoding runs on the calling thread. */
swav_status swav_network_embed_bytes(swav_network *network, const void *bytes, size_t size, int32_t crop_size,
                                     swav_output output, float *result);

/* Both with the backbone in 8-bit integers, several times faster; projection head and pooling in float32. Fails with
 * SWAV_ERROR_ARGUMENT unless swav_network_calibrate has seen images since the weights were last changed. Images are read as
 * samples of 8 bits under the network's mean and std (swav_network_input): pixels that were made from such samples lose
 * nothing, others are rounded and clipped. Integer results are equal on every CPU. */
swav_status swav_network_embed_int8(swav_network *network, swav_output output, const float *images, int64_t count,
                                    int32_t height, int32_t width, float *result);
swav_status swav_network_embed_bytes_int8(swav_network *network, const void *bytes, size_t size, int32_t crop_size,
                                          swav_output output, float *result);

/* The same with the backbone in bfloat16: weights and activations in 16 bits, sums in float32; projection head and pooling in
 * float32. Half the bytes, and several times faster where the CPU multiplies bfloat16 (fast_bfloat16 of swav_runtime_info);
 * elsewhere slower than float32. The numbers of two CPUs with different bfloat16 bodies differ in their last bits. */
swav_status swav_network_embed_bfloat16(swav_network *network, swav_output output, const float *images, int64_t count,
                                        int32_t height, int32_t width, float *result);
swav_status swav_network_embed_bytes_bfloat16(swav_network *network, const void *bytes, size_t size, int32_t crop_size,
                                              swav_output output, float *result);

/* Calibrates for embedding in integers: records the largest activation of every layer over images
 * [count][height][width][channels], normalised, count >= 1. Further calls add images; how they are divided into calls does not
 * matter. Some dozens that look like those to be embedded are enough. A call that fails changes nothing. */
swav_status swav_network_calibrate(swav_network *network, const float *images, int64_t count, int32_t height, int32_t width);

/* What calibration found of one layer. */
typedef struct swav_activation_range {
  const char *layer; /* the convolution, as in the state dict without ".weight"; the network's memory */
  float largest;     /* value behind it: after its batch-norm, the block's sum where it ends one, and ReLU */
} swav_activation_range;

/* index 0.. until SWAV_ERROR_ARGUMENT, in the order of the convolutions, without projections. SWAV_ERROR_ARGUMENT as well where
 * no image was seen since the weights last changed. */
swav_status swav_network_activation_range(const swav_network *network, int64_t index, swav_activation_range *range);

/* Re-estimates the batch-norm buffers as the average over batches of 2 images or more: begin, one batch or more, end, which
 * writes them. */
swav_status swav_network_recalibrate_begin(swav_network *network);
swav_status swav_network_recalibrate_batch(swav_network *network, const float *images, int64_t count, int32_t height,
                                           int32_t width);
swav_status swav_network_recalibrate_end(swav_network *network);

/* Any file of tensors that swav_network_open reads, to look inside. A handle is used by one thread at a time; its functions run
 * on the calling thread. */
typedef struct swav_tensor_file swav_tensor_file;

/* Reads names, types and shapes. *file is the caller's to close. */
swav_status swav_tensor_file_open(const char *path, swav_tensor_file **file);

/* NULL does nothing. */
void swav_tensor_file_close(swav_tensor_file *file);

typedef struct swav_tensor_file_info {
  char format[32];
  int64_t tensor_count;   /* tensors are in the order of their names */
  int64_t metadata_count; /* texts beside them */
} swav_tensor_file_info;

swav_status swav_tensor_file_describe(const swav_tensor_file *file, swav_tensor_file_info *info);

/* Text number `index` of the metadata; both are the file's memory. */
swav_status swav_tensor_file_metadata(const swav_tensor_file *file, int64_t index, const char **key, const char **value);

#define SWAV_MAX_RANK 8

/* A tensor of a file and what its values are like; the file's memory. */
typedef struct swav_stored_tensor {
  const char *name;
  const char *type; /* "F32", "BF16", ... as safetensors writes it */
  int32_t rank;
  int64_t shape[SWAV_MAX_RANK]; /* the first ones, where rank is larger */
  int64_t count;
  bool has_values;    /* false: the type is not read here, and what follows is 0 */
  int64_t non_finite; /* values that are infinite or NaN; the others are described: */
  double mean, std, smallest, largest;
} swav_stored_tensor;

/* Reads all values of the tensor; SWAV_ERROR_LIMIT for more than 2^27. */
swav_status swav_tensor_file_tensor(const swav_tensor_file *file, int64_t index, swav_stored_tensor *tensor);

/* What swav_network_open would make of the file, from names and shapes alone; fails as that would. options may be NULL. */
swav_status swav_tensor_file_recognize(const swav_tensor_file *file, const swav_load_options *options,
                                       swav_network_config *config, swav_load_report *report);

/* ---- Objective: scores -> codes -> loss -> d(scores) --------------------------------------------------------------- */

typedef struct swav_codes_config {
  float epsilon; /* entropy regularisation: a number, or a multiple of the scores' spread; 1e-6 to 1e6 */
  bool relative; /* epsilon x spread of the batch's scores (std over rows, mean over prototypes), at least epsilon_floor */
  float epsilon_floor; /* 1e-6 to 1e6 */
  int32_t iterations;  /* 1 to 1000 */
} swav_codes_config;

/* 0.05, not relative, floor 1e-3, 3 iterations. */
swav_codes_config swav_codes_config_default(void);

/* Sinkhorn-Knopp (paper eq. 3 to 5): scores [rows][prototypes] -> codes of the last `keep` rows [keep][prototypes], each
 * summing to 1. Earlier rows are the queue. Cannot overflow. The spread is that of the last `keep` rows, 1 <= keep <= rows.
 * codes must not overlap scores. epsilon_used may be NULL. SWAV_ERROR_NUMERIC when a score is not finite; codes are then
 * undefined. */
swav_status swav_codes(const float *scores, int64_t rows, int64_t prototypes, int64_t keep, const swav_codes_config *config,
                       float *codes, float *epsilon_used);

/* Swapped prediction (paper eq. 1, 2, 6, averaged as published). scores [crops * batch][prototypes], crop-major; codes
 * [assign_count][batch][prototypes] of the crops assign[0..], which are distinct, at most SWAV_MAX_GROUPS. crops >= 2;
 * temperature 1e-6 to 1e6. *loss, and gradient [crops * batch][prototypes] (may be NULL, may be scores). SWAV_ERROR_NUMERIC
 * when the loss is not finite; *loss is then as it was, gradient undefined. */
swav_status swav_swapped_loss(const float *scores, int64_t crops, int64_t batch, int64_t prototypes, const float *codes,
                              const int32_t *assign, int32_t assign_count, float temperature, double *loss, float *gradient);

/* ---- Trainer: crops -> loss -> gradients -> update ------------------------------------------------------------------ */

/* Training state of one network: optimiser, queue, memory plan. Shares the network: either handle may be destroyed first. */
typedef struct swav_trainer swav_trainer;

typedef enum swav_optimizer SWAV_OF_INT {
  SWAV_OPTIMIZER_LARC = 0, /* SGD with momentum under layer-wise adaptive rates */
  SWAV_OPTIMIZER_SGD = 1,
  SWAV_OPTIMIZER_ADAMW = 2
} swav_optimizer;

#define SWAV_MAX_GROUP_CROPS 64
#define SWAV_MAX_BATCH 65536
#define SWAV_MAX_QUEUE 16777216
#define SWAV_MAX_ITERATIONS 1000
#define SWAV_MAX_PARTS 256
/* Of temperature and epsilon: scores divided by them stay far inside float's range. */
#define SWAV_MIN_TEMPERATURE 1e-6
#define SWAV_MAX_TEMPERATURE 1e6

typedef struct swav_trainer_config {
  int32_t group_count;
  int32_t crop_counts[SWAV_MAX_GROUPS]; /* crops a group, 1..SWAV_MAX_GROUP_CROPS */
  int32_t crop_sizes[SWAV_MAX_GROUPS];  /* pixels a side; adjacent groups of equal size run as one */
  int32_t batch;                        /* B, images a step, 1..SWAV_MAX_BATCH */
  int32_t assign_count;                 /* 1..SWAV_MAX_GROUPS */
  int32_t assign[SWAV_MAX_GROUPS];      /* crops whose codes are computed, distinct */
  swav_codes_config codes;
  float temperature;
  int32_t queue_length; /* embeddings kept for each assignment crop, to SWAV_MAX_QUEUE; rounded down to whole batches */
  swav_optimizer optimizer;
  float momentum;                   /* larc, sgd */
  float trust;                      /* larc */
  float beta1, beta2, adam_epsilon; /* adamw */
  float weight_decay;
  bool direct; /* no Winograd: every convolution as the plain sum of its products, more slowly */
  /* Images, of this rank, that pass the network at a time; it divides the rank's share of the batch. 0: all of them.
   * Codes and loss are those of the whole batch in any case. With less, activations need as much less memory and a step takes
   * one more forward pass of all micro-batches but one; batch-norm sees that many images, and the running statistics follow
   * those of the first. */
  int32_t micro_batch;
  /* The backbone's activations, their gradients and packed weights in bfloat16, sums in float32: half the memory of
   * activations, and expected to be faster where fast_bfloat16 of swav_runtime_info says so. Weights, their gradients, the
   * optimiser, batch statistics, projection head, prototypes, codes and loss stay in float32. A checkpoint belongs to one of
   * the two. */
  bool bfloat16;
} swav_trainer_config;

/* 2x224+6x96, batch 64, codes of crops 0 and 1, temperature 0.1, no queue, LARC 0.001, momentum 0.9, weight decay 1e-6,
 * betas 0.9 and 0.999, adam epsilon 1e-8. */
swav_trainer_config swav_trainer_config_default(void);

/* Makes the memory plan and allocates all of it. A step allocates nothing. SWAV_ERROR_MEMORY where the plan is larger than
 * what the machine has available, the container (control group) or the limits on the address space leave; the message names the
 * largest batch that fits. */
swav_status swav_trainer_create(swav_network *network, const swav_trainer_config *config, swav_trainer **trainer);

/* The processes (ranks) that train one network together: functions of a transport, all collective. Every rank calls the same
 * ones in the same order with the same counts; all get the same bits back, and none returns before its arrays may be used
 * again. The engine calls them on its own thread, one at a time, and so do the functions of this header that say they are
 * collective. A function that fails returns a status other than SWAV_OK and ends the step or the call; the group is of no use
 * after that, as other ranks may still be waiting: whoever made it ends all processes (swav_mpi_abort). */
typedef struct swav_communicator {
  void *context; /* passed to every function; lives as long as trainers use it */
  int32_t rank, size;
  /* values[0..count) becomes the sum over the ranks, of floats or of doubles, in any order. Called for fast sums only; NULL:
   * sums are made by gathering. */
  swav_status (*sum)(void *context, void *values, int64_t count, bool doubles);
  /* all[r * bytes ..] becomes what rank r gave as `mine`. */
  swav_status (*gather)(void *context, const void *mine, int64_t bytes, void *all);
  /* received[r * bytes ..] becomes parts[rank * bytes ..] of rank r: each rank hands one part to each. NULL: by gathering. */
  swav_status (*exchange)(void *context, const void *parts, int64_t bytes, void *received);
  /* values[0..bytes) of rank `root` go to all others. */
  swav_status (*broadcast)(void *context, void *values, int64_t bytes, int32_t root);
  /* Returns once every rank has called it. */
  swav_status (*barrier)(void *context);
  /* What went wrong in the last call that failed, one line, valid until the next call; may be NULL. */
  const char *(*message)(void *context);
  /* Both or neither, NULL: transfers beside the computation, so that gradients travel while others are computed. begin: the
   * bytes at sent + r * stride go to rank r, of stride 0 the same ones to all, and received[r * bytes ..] becomes what rank r
   * sends to this one. It returns at once; the arrays are the transfer's until it is done. Transfers of one tag, 0 to 7, belong
   * together on all ranks; ranks begin those of different tags in different orders. */
  swav_status (*begin)(void *context, int32_t tag, const void *sent, int64_t stride, int64_t bytes, void *received);
  /* Moves on all transfers, and says whether that of `tag` is done; with `wait` it returns once it is. */
  swav_status (*advance)(void *context, int32_t tag, bool wait, bool *done);
} swav_communicator;

/* How many processes a launcher (mpirun, srun) has started together with this one, by the variables that it sets; 1: this one
 * alone. */
int32_t swav_mpi_ranks(void);

/* Loads the MPI library that is installed (Open MPI 3 to 5, MPICH 3.3 and its relatives), starts it where the program has not,
 * and gives it as a communicator of its own, the same at each call. The first is collective. SWAV_ERROR_UNSUPPORTED where there
 * is none, or not the launcher's. */
swav_status swav_mpi_open(swav_communicator *communicator);

/* Waits for all ranks to call it and ends MPI. Before the process ends in order: a launcher takes anything else for a failure.
 * Does nothing where MPI was not opened. */
swav_status swav_mpi_close(void);

/* Calls late(context, seconds waited), on a thread of its own, where a call to the other ranks has not come back for `seconds`:
 * a process is stopped, or a host is gone without a word. What MPI does then is wait; swav_mpi_abort ends that. Once for each
 * such call, until swav_mpi_close; `late` NULL ends it earlier. SWAV_ERROR_ARGUMENT for seconds that are not above 0. Does
 * nothing where MPI was not opened. */
swav_status swav_mpi_watch(double seconds, void (*late)(void *context, double waited), void *context);

/* Ends the processes of all ranks with this exit code, where one of them cannot go on and others may be waiting for it. Returns
 * only where MPI was not opened. */
void swav_mpi_abort(int32_t exit_code);

typedef struct swav_group_config {
  bool fast; /* sums as the transport makes them: other roundings with other numbers of ranks, or hosts */
  /* Neighbouring parts (ranks) that share batch-norm statistics; 0: all, 1: each has its own. Running statistics are those of a
   * rank's first part; a checkpoint has rank 0's. */
  int32_t norm_ranks;
  /* Parts that the batch is cut into, a multiple of the number of ranks; 0: one a rank. Every sum over the batch is one over
   * parts, in their order: as many parts give the same bits on any number of ranks, where sums are not fast. A rank computes
   * its parts side by side, each with gradients and activations of its own. */
  int32_t parts;
} swav_group_config;

/* Sums in the order of the ranks, statistics of all, one part a rank. */
swav_group_config swav_group_config_default(void);

/* As swav_trainer_create, for one rank of several; communicator NULL: for this process alone. Batch and queue of the
 * configuration are those of all ranks, and multiples of their number (of parts, where there are more); rank r works on images
 * r * batch / size .. of each batch, and its crops are those of these images alone. A micro-batch is one of a part.
 * Every rank has an equal network and an equal configuration. swav_trainer_step, _health, _save and _load are then collective:
 * reports are those of the whole batch, what is not finite on one rank ends the step on all, rank 0 alone reads and writes
 * files, with the state of all, and what fails there fails everywhere. A checkpoint can be loaded by any number of ranks. A
 * step in a group is not called off by swav_watch_cancellation. The struct is copied. */
swav_status swav_trainer_create_in_group(swav_network *network, const swav_trainer_config *config,
                                         const swav_communicator *communicator, const swav_group_config *group,
                                         swav_trainer **trainer);

/* NULL does nothing. The network stays. */
void swav_trainer_destroy(swav_trainer *trainer);

/* Bytes, as planned before the first step. */
typedef struct swav_memory_plan {
  int64_t parameters; /* weights and buffers */
  int64_t gradients;
  int64_t optimizer; /* momentum or moments */
  int64_t activations;
  int64_t workspace; /* packed weights, partial sums, scores, codes */
  int64_t queue;
  int64_t scratch; /* of the worker threads, at their number when the trainer was created */
  int64_t total;   /* where several ranks train, messages take some 32 MiB beside it */
} swav_memory_plan;

swav_status swav_trainer_memory(const swav_trainer *trainer, swav_memory_plan *plan);

typedef struct swav_step_input {
  const float *const *crops; /* one pointer a group: [count * batch][size][size][channels], crop-major (row v * batch + b) */
  double learning_rate;      /* 0 to 1e30 */
  bool freeze_prototypes;    /* no gradient, no decay, no momentum for the prototypes */
  bool use_queue;            /* fill the queue, and use it once it is full */
  bool update;               /* false: gradients only; the prototypes are renormalised all the same */
} swav_step_input;

typedef struct swav_step_report {
  double loss;
  double gradient_norm;    /* of all parameters, without frozen prototypes, before the optimiser */
  double code_entropy;     /* mean over codes, in units of ln K: 1 is uniform */
  double score_spread;     /* std of scores over the batch's images, mean over prototypes and assignment crops */
  double epsilon;          /* used for the codes, mean over assignment crops */
  double similarity;       /* mean cosine of embeddings of different images, first crop: 1 is collapse */
  int64_t prototypes_used; /* distinct arg-max prototypes among the codes of the batch, first head */
  bool queue_used;
  int64_t queue_age;         /* steps since the oldest embedding of the queue was made; 0: the queue is empty */
  double prediction_entropy; /* mean over all crops' predictions (eq. 2), first head, in units of ln K */
  double sinkhorn_error;     /* after the last iteration: largest |share of a prototype in the codes * K - 1|, queue included;
                                first head, first assignment crop */
  double forward_seconds, objective_seconds, backward_seconds, update_seconds;
} swav_step_report;

/* One training step (paper algorithm 1): renormalise prototypes, forward by resolution, codes, loss, backward, update. On
 * SWAV_ERROR_NUMERIC and SWAV_ERROR_CANCELLED all state is as before the step; the report is filled as far as the step came. */
swav_status swav_trainer_step(swav_trainer *trainer, const swav_step_input *input, swav_step_report *report);

/* What tells a healthy run from a sick one, of the last step unless said otherwise. Prototypes are those of the first head.
 * Usage is counted over a window of steps: as many as give each prototype 8 codes where all are used alike, at least 16. It
 * starts anew with the trainer. */
typedef struct swav_health {
  int64_t prototypes;      /* K */
  int64_t window;          /* steps that usage was counted over so far */
  double perplexity;       /* exp of the entropy of the mean code, which forgets within the window: 1 (one takes all) to K */
  int64_t dead_prototypes; /* largest entry of no code of the window */
  int64_t duplicate_prototypes;                                        /* cosine of 0.95 or more with one before them, now */
  double code_entropy, prediction_entropy, sinkhorn_error, similarity; /* as in swav_step_report */
  int64_t queue_age;
  double embedding_rank; /* RankMe (Garrido et al., 2023): exp of the entropy of the singular values of the embeddings of all
                            crops, over their sum: 1 to min(rows, D). At most 2048 rows are looked at */
  double embedding_deviation; /* standard deviation of a coordinate of the embeddings times sqrt(D), mean over coordinates: 1 is
                                 spread alike in all directions, 0 collapse */
  double least_deviation;     /* the smallest of these */
} swav_health;

/* Some milliseconds for D and K of the published recipe; not meant for every step. SWAV_ERROR_ARGUMENT before the first step.
 */
swav_status swav_trainer_health(swav_trainer *trainer, swav_health *health);

/* One parameter in the last step. */
typedef struct swav_tensor_health {
  const char *name;     /* as in swav_tensor; the network's memory */
  double value_norm;    /* now */
  double gradient_norm; /* 0 where it was frozen */
  double update_norm;   /* of what the last step added to it; 0 where it was frozen or the step made no update */
} swav_tensor_health;

/* index 0.. until SWAV_ERROR_ARGUMENT, in the order of the tensors, parameters only. */
swav_status swav_trainer_tensor_health(swav_trainer *trainer, int32_t index, swav_tensor_health *health);

/* The gradient of a parameter from the last step, before the optimiser: `count` floats in the tensor's shape; index and count
 * are the tensor's in the network. After a step that failed it is undefined; before the first, and for buffers and counters:
 * SWAV_ERROR_ARGUMENT. */
swav_status swav_trainer_read_gradient(const swav_trainer *trainer, int64_t index, float *values, int64_t count);

/* Backbone features of the first crop in the last step, before the head: [images][feature_dim], with micro-batches those of the
 * first one, of several ranks this one's; batch-norm as in the step. Gradients do not flow through what is read: a classifier
 * that learns from it tells what is learned without changing it. `count`: all numbers. SWAV_ERROR_ARGUMENT before the first
 * step. */
swav_status swav_trainer_read_features(const swav_trainer *trainer, float *values, int64_t count);

/* Where the last step spent its time, in seconds. What is left of `step` is other. */
typedef struct swav_step_times {
  double step;
  double data;                                                             /* crops to the first convolution's layout */
  double convolution_forward, convolution_backward, convolution_gradients; /* with the batch-norm sums that run in them */
  double normalization;                                                    /* the rest of it: residual sums, pooling */
  double head;                                                             /* projection head and prototypes */
  double objective;                                                        /* codes and loss */
  double update;
} swav_step_times;

swav_status swav_trainer_step_times(const swav_trainer *trainer, swav_step_times *times);

/* One convolution of one resolution, and its seconds in the last step. */
typedef struct swav_layer_times {
  const char *name;      /* as in the state dict, without ".weight"; the trainer's memory */
  const char *algorithm; /* "direct", "small-map" (skips taps that touch only padding), "winograd" or
                          * "tiles" (direct, in bfloat16) */
  int64_t images;
  int32_t height, width, channels, filters, kernel, stride;
  int64_t multiplications;                         /* of one product by the direct method; a layer has three products */
  double forward, backward_data, backward_weights; /* the first convolution has no backward_data: 0 */
} swav_layer_times;

/* index 0.. until SWAV_ERROR_ARGUMENT: first all convolutions of the first resolution, then of the next. */
swav_status swav_trainer_layer_times(const swav_trainer *trainer, int32_t index, swav_layer_times *times);

/* Writes everything a later process needs to go on (network, buffers, optimiser, queue) and `note`, a text of the caller's (may
 * be NULL), as one safetensors file: to a file aside, flushed, renamed. SWAV_ERROR_NUMERIC when a parameter or buffer is not
 * finite: the file stays as it was. */
swav_status swav_trainer_save(const swav_trainer *trainer, const char *path, const char *note);

/* Writes what swav_trainer_save writes and one step's input beside it, whatever the values are: after a step that failed all
 * state is as before it, so the file holds all that the step was made of. */
swav_status swav_trainer_save_step(const swav_trainer *trainer, const swav_step_input *input, const char *path,
                                   const char *note);

/* Restores the state of such a file, which fails as swav_trainer_load does, and makes its step: status, message and report are
 * those of the first time, to the bit with the same instruction set. One that is called off leaves the state of the file. */
swav_status swav_trainer_replay(swav_trainer *trainer, const char *path, swav_step_report *report);

/* Who wrote a checkpoint. */
typedef struct swav_checkpoint_info {
  int32_t format;    /* version of the checkpoint's format; older ones are read, newer ones refused */
  int32_t version;   /* SWAV_VERSION of the engine that wrote it; 0: not recorded */
  char isa[16];      /* its instruction set; empty: not recorded */
  char used[128];    /* the extensions that it used (swav_runtime_info); empty: not recorded */
  char warning[256]; /* one line where training will not go on with the bits of a run without a break; else empty */
} swav_checkpoint_info;

/* Restores what swav_trainer_save wrote, the network's input description included, into a trainer of the same configuration.
 * Older formats are read; settings that did not exist yet count as what was done then. Fails and changes nothing when the file
 * does not match, naming what differs, or is damaged. info may be NULL. */
swav_status swav_trainer_load(swav_trainer *trainer, const char *path, swav_checkpoint_info *info);

/* The note of a checkpoint, zero-terminated, into buffer of `capacity` bytes; *size gets its length without the zero. When
 * capacity is too small: SWAV_ERROR_LIMIT and *size is set. Validates the file's structure and length. */
swav_status swav_checkpoint_note(const char *path, char *buffer, size_t capacity, size_t *size);

/* ---- Schedule -------------------------------------------------------------------------------------------------------- */

typedef struct swav_schedule {
  double base_rate, final_rate, start_rate; /* start_rate: where the warm-up begins */
  int64_t steps, warmup_steps;              /* of all; at the start, 0 to steps */
} swav_schedule;

/* Linear warm-up from start_rate to base_rate, both inclusive, then a cosine to final_rate. step 0 to steps - 1; a number
 * between two steps, and below steps, is a place between them, for runs whose length is planned anew on the way. */
swav_status swav_learning_rate(const swav_schedule *schedule, double step, double *rate);

/* ---- Evaluation ------------------------------------------------------------------------------------------------------ */

/* A call that takes long tells this how far it is, between pieces of work: `done` of `total`. Runs on the engine's thread: it
 * must be quick, and not call functions that compute. */
typedef void (*swav_progress)(void *context, int64_t done, int64_t total);

typedef struct swav_knn_config {
  int32_t neighbours;     /* that vote, 1 or more; more than there are training rows: all of them */
  float temperature;      /* above 0 */
  bool equal_votes;       /* every neighbour has one vote, whatever its cosine */
  bool leave_one_out;     /* the training rows are asked about themselves, each among the others; at least 2 rows */
  swav_progress progress; /* may be NULL */
  void *context;          /* for progress */
} swav_knn_config;

/* 20 neighbours, temperature 0.07, votes by cosine, queries of their own, no progress. */
swav_knn_config swav_knn_config_default(void);

/* Weighted k-nearest-neighbour classification: rows are scaled to unit norm; each of the neighbours nearest by cosine votes
 * with exp(cosine / temperature), or alike. train [count][dim], labels [count] in 0..classes-1, queries [query_count][dim] ->
 * predictions [query_count]. With leave_one_out queries is not read and may be NULL, query_count is not read, and predictions
 * is [count]. Of equal cosines the earlier row counts, of equal votes the smaller class. The bank passes by in blocks: beside
 * the arguments 256 MiB for queries and their neighbours and room for three blocks of 2048 rows are needed. config may be NULL
 * for the default. SWAV_ERROR_NUMERIC when a feature is not finite, here and in swav_linear_fit. */
swav_status swav_knn(const float *train, const int32_t *labels, int64_t count, const float *queries, int64_t query_count,
                     int64_t dim, int32_t classes, const swav_knn_config *config, int32_t *predictions);

typedef struct swav_nearest_config {
  int32_t neighbours; /* of each query, 1 to the rows of the bank (one less with leave_one_out) */
  bool unit_rows;     /* all rows have unit norm and are taken as they are: a few queries then take one reading of the bank */
  bool leave_one_out; /* the rows of the bank are asked about, each among the others */
  swav_progress progress; /* may be NULL */
  void *context;          /* for progress */
} swav_nearest_config;

/* 10 neighbours, rows of any norm, queries of their own, no progress. */
swav_nearest_config swav_nearest_config_default(void);

/* The rows of bank [count][dim] with the largest cosine to each of queries [query_count][dim], exactly -> rows and cosines
 * [query_count][neighbours], the nearest first, of equal cosines the earlier row; rows of zeros have cosine 0 with all. With
 * leave_one_out queries and query_count are not read, and rows and cosines are [count][neighbours]. Memory as swav_knn. config
 * may be NULL for the default. SWAV_ERROR_NUMERIC when a row is not finite; rows and cosines are then undefined. */
swav_status swav_nearest(const float *bank, int64_t count, const float *queries, int64_t query_count, int64_t dim,
                         const swav_nearest_config *config, int64_t *rows, float *cosines);

typedef struct swav_kmeans_config {
  int32_t clusters;       /* 1 to the number of rows */
  uint64_t seed;          /* of the start by k-means++ */
  int32_t iterations;     /* at most; 1 or more */
  bool unit_centres;      /* centres are scaled to unit norm: with rows of unit norm, spherical k-means */
  swav_progress progress; /* may be NULL */
  void *context;          /* for progress */
} swav_kmeans_config;

/* 10 clusters, seed 0, 100 iterations, means as they are, no progress. */
swav_kmeans_config swav_kmeans_config_default(void);

/* k-means: rows [count][dim] -> centres [clusters][dim] and assignment [count], the nearest centre of each row by Euclid;
 * *inertia (may be NULL): the sum of the squared distances to them. Same arguments, same result. Where there are fewer
 * different rows than clusters, some clusters are empty. config may be NULL for the default. SWAV_ERROR_NUMERIC when a row is
 * not finite, and nothing is written then, or when distances are beyond a float. After any other failure centres and
 * assignment are undefined. */
swav_status swav_kmeans(const float *rows, int64_t count, int64_t dim, const swav_kmeans_config *config, float *centres,
                        int32_t *assignment, double *inertia);

typedef struct swav_linear_config {
  double penalty;         /* of the squared norm of the weights, 0 or more */
  int32_t max_iterations; /* 1 or more */
  swav_progress progress; /* may be NULL */
  void *context;          /* for progress */
} swav_linear_config;

/* Penalty 1e-3, 200 iterations, no progress. */
swav_linear_config swav_linear_config_default(void);

/* Multinomial logistic regression on standardised features by L-BFGS: minimises mean cross-entropy + penalty * |W|^2. features
 * [count][dim], labels [count] in 0..classes-1 -> weights [classes][dim + 1], for raw features, bias last. Keeps a copy of the
 * features meanwhile. config may be NULL for the default. SWAV_ERROR_NUMERIC also when a weight is beyond a float. */
swav_status swav_linear_fit(const float *features, const int32_t *labels, int64_t count, int64_t dim, int32_t classes,
                            const swav_linear_config *config, float *weights);

/* arg-max class of each row, of equal ones the smallest: features [count][dim] -> predictions [count]. */
swav_status swav_linear_predict(const float *weights, int64_t dim, int32_t classes, const float *features, int64_t count,
                                int32_t *predictions);

/* The score of each class, weights times feature plus bias: features [count][dim] -> scores [count][classes]. */
swav_status swav_linear_scores(const float *weights, int64_t dim, int32_t classes, const float *features, int64_t count,
                               float *scores);

typedef struct swav_retrieval_config {
  bool leave_one_out;     /* the bank's rows are asked about themselves, each among the others; at least 2 rows */
  swav_progress progress; /* may be NULL */
  void *context;          /* for progress */
} swav_retrieval_config;

/* Queries of their own, no progress. */
swav_retrieval_config swav_retrieval_config_default(void);

/* How well the bank, ranked by cosine with a query, brings up rows of the query's label. bank [count][dim], labels [count] and
 * query_labels [query_count] from 0 up, queries [query_count][dim] -> precision [query_count], the mean over the rows of the
 * query's label of the share of that label among the rows down to it (average precision; -1 where the bank has none), and
 * rank [query_count], the place of the first of them from 0 (-1: none). Rows of equal cosines count as one step: with the share
 * behind them, and the others of them before those of the label. With leave_one_out queries, query_labels and query_count are
 * not read, and results are [count]. Beside the arguments 256 MiB, or 8 whole rankings where those are larger. config may be
 * NULL for the default. SWAV_ERROR_NUMERIC when a feature is not finite.
 */
swav_status swav_retrieval(const float *bank, const int32_t *labels, int64_t count, const float *queries,
                           const int32_t *query_labels, int64_t query_count, int64_t dim, const swav_retrieval_config *config,
                           double *precision, int64_t *rank);

typedef struct swav_svm_config {
  double positive_weight; /* of a positive row in the loss, above 0; a negative one counts 1 */
  double tolerance;       /* of liblinear, above 0 */
  swav_progress progress; /* may be NULL */
  void *context;          /* for progress */
} swav_svm_config;

/* Positive rows count twice, tolerance 1e-3, no progress. */
swav_svm_config swav_svm_config_default(void);

/* Linear support vector machines, one a class, by liblinear (L2-regularised squared hinge loss, primal, which draws no random
 * numbers): minimises |w|^2 / 2 + C sum of weight * max(0, 1 - t w.x)^2, where x is a row with a 1 appended. features
 * [count][dim], targets [classes][count]: 1 in the class, -1 not, 0 left out; costs [classes], C of each, above 0 -> weights
 * [classes][dim + 1], bias last. A class without a row of both signs gets weights of zero. Keeps a copy of the features of four
 * times their size meanwhile. config may be NULL for the default. SWAV_ERROR_NUMERIC when a feature is not finite. */
swav_status swav_svm_fit(const float *features, const int8_t *targets, int64_t count, int64_t dim, int32_t classes,
                         const double *costs, const swav_svm_config *config, float *weights);

/* ---- Classifier: learning from labels ---------------------------------------------------------------------------------- */

/* A linear layer on features that learns from labels (softmax cross-entropy, SGD with momentum), alone or with the backbone
 * below it. Shares the network: either handle may be destroyed first. */
typedef struct swav_classifier swav_classifier;

typedef struct swav_classifier_config {
  int32_t classes;       /* 1 or more */
  int64_t dim;           /* without a network: length of a feature, 1..1048576; with one it is the network's */
  int32_t size;          /* with a network: pixels a side */
  int32_t batch;         /* images, or rows, a step at most, 1..SWAV_MAX_BATCH */
  float label_smoothing; /* s in [0, 1): the target is (1 - s) one-hot + s / classes */
  float momentum;        /* [0, 1) */
  float weight_decay;    /* 0 or more, of everything that is learned */
  bool frozen_norms; /* batch-norm uses its running statistics and leaves them as they are; its weights learn all the same */
  float deviation;   /* of the first weights of the layer, normal; 0 or more */
  uint64_t seed;     /* of these */
} swav_classifier_config;

/* 1000 classes, 224 pixels, batch 256, no smoothing, momentum 0.9, no decay, batch statistics, deviation 0.01, seed 0. */
swav_classifier_config swav_classifier_config_default(void);

/* network NULL: features are given to every step, and only the layer learns. Else images are, and the network's backbone learns
 * as well, in place; its projection and prototypes stay. Allocates all that a step needs. SWAV_ERROR_MEMORY as
 * swav_trainer_create. */
swav_status swav_classifier_create(swav_network *network, const swav_classifier_config *config, swav_classifier **classifier);

/* NULL does nothing. The network stays. */
void swav_classifier_destroy(swav_classifier *classifier);

/* Bytes, as planned before the first step; queue is 0. */
swav_status swav_classifier_memory(const swav_classifier *classifier, swav_memory_plan *plan);

typedef struct swav_classifier_input {
  const float *values;   /* images [count][size][size][channels], or features [count][dim] */
  const int32_t *labels; /* [count], 0..classes-1 */
  int64_t count;         /* with a network: batch; without: 1..batch */
  double backbone_rate;  /* learning rates, 0 to 1e30; without a network the first is not read */
  double classifier_rate;
} swav_classifier_input;

typedef struct swav_classifier_report {
  double loss;          /* mean over the rows, before the update */
  double gradient_norm; /* of all that is learned */
  int64_t right;        /* rows whose label has the largest score, of equal ones the first */
} swav_classifier_report;

/* One step: forward, cross-entropy, backward, update. On SWAV_ERROR_NUMERIC and SWAV_ERROR_CANCELLED all state is as before. */
swav_status swav_classifier_step(swav_classifier *classifier, const swav_classifier_input *input,
                                 swav_classifier_report *report);

/* The layer as swav_linear_predict and swav_linear_scores take it: weights [classes][dim + 1], bias last. */
swav_status swav_classifier_read(const swav_classifier *classifier, float *weights);

/* Writes all that a later process needs to go on (network, layer, momentum) and `note` (may be NULL), as swav_trainer_save. */
swav_status swav_classifier_save(const swav_classifier *classifier, const char *path, const char *note);

/* Restores what swav_classifier_save wrote into a classifier of the same configuration; swav_checkpoint_note reads its note.
 * Fails and changes nothing when the file does not match, naming what differs, or is damaged. */
swav_status swav_classifier_load(swav_classifier *classifier, const char *path);

#ifdef __cplusplus
}
#endif
#endif

/* What the files of c_arguments_test share: how a call is expected to be refused, and arguments that are right. */
#pragma once

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "swav.h"

extern int failures;

/* Counts a failure unless the call gave `wanted` with a message of one line that has `part` in it, which says
 * something; part may be NULL. */
void expect(const char *file, int line, const char *call, swav_status status, swav_status wanted, const char *part);

/* The call is refused, and the message has `part` in it. */
#define REFUSED(part, call) expect(__FILE__, __LINE__, #call, call, SWAV_ERROR_ARGUMENT, part)
#define WORKS(call) expect(__FILE__, __LINE__, #call, call, SWAV_OK, NULL)
/* A copy of a struct with one field changed. */
#define WITH(type, original, field, value, body) \
  do {                                           \
    type changed = original;                     \
    changed.field = value;                       \
    body;                                        \
  } while (0)

enum { SIDE = 16, PIXELS = SIDE * SIDE * 3, MANY = 4 * PIXELS, WRONG_COUNTS = 4, WRONG_NUMBERS = 5 };
extern const int64_t wrong_counts[WRONG_COUNTS];
/* Number `index` of those that none of `count` enumerators from 0 on has. */
int wrong_number(int index, int count);

extern float pixels[MANY], results[MANY];
extern uint8_t samples[PIXELS];
extern unsigned char picture[1 << 16]; /* a JPEG, once it is encoded */
extern size_t picture_size;

/* Of a network, a ResNet-18 of 4 channels with 5 prototypes; path: a file that may be written. */
swav_network *small_network(void);
void refuse_images(void);
void refuse_networks(swav_network *network, const char *path);
void refuse_training(swav_network *network, const char *path);
void refuse_objective(void);
void refuse_evaluation(void);
void refuse_protocols(void);
void refuse_classifiers(swav_network *network, const char *path);

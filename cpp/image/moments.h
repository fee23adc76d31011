// Mean and mean square of the channels of a picture: what normalisation statistics are made of.
#pragma once

#include "image/image.h"

namespace swav::image {

// mean, mean_square [channels]: of the samples as shares of their maximum, in 0..1. The sums are exact integers.
void moments(const Image& image, double* mean, double* mean_square);

}  // namespace swav::image

// Orientation: reading it from EXIF data, and turning a picture upright.
#pragma once

#include <cstddef>
#include <cstdint>

#include "image/image.h"

namespace swav::image {

// Orientation tag of a TIFF structure ("II*\0..." or "MM\0*..."); 1 when there is none or anything is wrong.
int tiff_orientation(const uint8_t* tiff, size_t size);

// The same with the optional leading "Exif\0\0" of JPEG's APP1.
int exif_orientation(const uint8_t* exif, size_t size);

// Whether width and height trade places.
inline bool transposes(int orientation) { return orientation >= 5; }

// A rectangle of pixels.
struct Region {
  int left, top, width, height;
};

// Where a rectangle of the upright picture lies in the stored one of width x height pixels, and the way back.
Region stored_region(const Region& upright, int orientation, int width, int height);
Region upright_region(const Region& stored, int orientation, int width, int height);

// Turns `image` upright; memory of both images is reused (they are swapped).
void make_upright(Image& image, int orientation, Image& scratch);

}  // namespace swav::image

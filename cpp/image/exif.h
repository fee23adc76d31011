// Orientation: reading it from EXIF and XMP data, and turning a picture upright.
#pragma once

#include <cstddef>
#include <cstdint>

#include "image/image.h"

namespace swav::image {

// What the parts of a file say about orientation: 1 to 8, or 0 where a part says nothing. EXIF data that has the tag counts
// before XMP, as in Pillow.
struct Orientation {
  int exif = 0, xmp = 0;
  int value() const { return exif ? exif : xmp ? xmp : 1; }
};

// Orientation tag of a TIFF structure ("II*\0..." or "MM\0*...", perhaps behind "Exif\0\0"), stored as a whole number of any
// type; 1 when its value is none of 1 to 8, 0 when there is none.
int exif_orientation(const uint8_t* exif, size_t size);

// tiff:Orientation of an XMP packet, an attribute or an element; 0 when there is none.
int xmp_orientation(const uint8_t* xmp, size_t size);

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

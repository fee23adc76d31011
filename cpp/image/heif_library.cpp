#include "image/heif_library.h"

#include <dlfcn.h>

#include "base/status.h"

namespace swav::image {
namespace {

struct Loaded {
  HeifLibrary library{};
  bool complete = false;

  template <class F>
  void find(void* handle, const char* name, F*& function) {
    function = reinterpret_cast<F*>(dlsym(handle, name));
    complete = complete && function != nullptr;
  }

  // The library stays for the life of the process: its decoders have threads of their own.
  Loaded() {
    void* const handle = dlopen("libheif.so.1", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!handle) return;
    complete = true;
#define SWAV_FIND(name) find(handle, #name, library.name)
    SWAV_FIND(heif_context_alloc);
    SWAV_FIND(heif_context_free);
    SWAV_FIND(heif_context_read_from_memory_without_copy);
    SWAV_FIND(heif_context_get_primary_image_handle);
    SWAV_FIND(heif_context_get_number_of_top_level_images);
    SWAV_FIND(heif_image_handle_get_width);
    SWAV_FIND(heif_image_handle_get_height);
    SWAV_FIND(heif_image_handle_has_alpha_channel);
    SWAV_FIND(heif_image_handle_release);
    SWAV_FIND(heif_decode_image);
    SWAV_FIND(heif_image_get_width);
    SWAV_FIND(heif_image_get_height);
    SWAV_FIND(heif_image_get_plane_readonly);
    SWAV_FIND(heif_image_release);
#undef SWAV_FIND
  }
};

const Loaded& loaded() {
  static const Loaded instance;
  return instance;
}

}  // namespace

bool HeifLibrary::is_there() { return loaded().complete; }

const HeifLibrary& HeifLibrary::get(const char* format) {
  if (!is_there())
    fail(SWAV_ERROR_UNSUPPORTED, "%s: libheif is not installed; Debian and Ubuntu have it in the package libheif1", format);
  return loaded().library;
}

}  // namespace swav::image

// The fixed set of names that a PyTorch file may use, and what they stand for.
#pragma once

#include <string>

#include "io/tensor_type.h"

namespace swav {

enum class TorchMeaning {
  unknown,         // not in the set
  inert,           // allowed beside weights; says nothing here
  dictionary,      // a call gives one
  tensor,          // _rebuild_tensor(storage, offset, shape, strides), _rebuild_tensor_v2(... and more)
  typed_tensor,    // _rebuild_tensor_v3(... the same, then hooks, type): its storage is in bytes
  wrapped_tensor,  // the first argument is the tensor: a parameter
  delegated,       // (function, class, arguments of the function, state)
  storage,         // the class of a storage of `type`; bytes where that is u8 and untyped
  type             // the object of a number type
};

struct TorchName {
  TorchMeaning meaning = TorchMeaning::unknown;
  DataType type = DataType::other;
  bool untyped = false;  // a storage whose length is in bytes
};

// `full` is "module.name".
TorchName torch_name(const std::string& full);

}  // namespace swav

#include "io/torch_names.h"

#include <unordered_map>

namespace swav {
namespace {

using Table = std::unordered_map<std::string, TorchName>;

struct NumberType {
  const char* storage;  // before "Storage"; NULL: only as a dtype
  const char* dtype;
  DataType type;
};
constexpr NumberType number_types[] = {{"Half", "float16", DataType::f16},
                                       {"BFloat16", "bfloat16", DataType::bf16},
                                       {"Float", "float32", DataType::f32},
                                       {"Double", "float64", DataType::f64},
                                       {"Char", "int8", DataType::i8},
                                       {"Short", "int16", DataType::i16},
                                       {"Int", "int32", DataType::i32},
                                       {"Long", "int64", DataType::i64},
                                       {"Byte", "uint8", DataType::u8},
                                       {"Bool", "bool", DataType::boolean},
                                       {nullptr, "uint16", DataType::u16},
                                       {nullptr, "uint32", DataType::u32},
                                       {nullptr, "uint64", DataType::u64},
                                       {"ComplexFloat", "complex64", DataType::other},
                                       {"ComplexDouble", "complex128", DataType::other},
                                       {"QInt8", "qint8", DataType::other},
                                       {"QUInt8", "quint8", DataType::other},
                                       {"QInt32", "qint32", DataType::other},
                                       {nullptr, "float8_e4m3fn", DataType::other},
                                       {nullptr, "float8_e5m2", DataType::other}};

constexpr const char* dictionaries[] = {"collections.OrderedDict",
                                        "collections.defaultdict",
                                        "collections.Counter",
                                        "builtins.dict",
                                        "__builtin__.dict",
                                        "pytorch_lightning.utilities.parsing.AttributeDict",
                                        "lightning.pytorch.utilities.parsing.AttributeDict",
                                        "lightning_fabric.utilities.data.AttributeDict",
                                        "lightning.fabric.utilities.data.AttributeDict"};

// What training programs keep beside weights: settings, dates, places, NumPy's numbers.
constexpr const char* inert[] = {
    "argparse.Namespace",
    "types.SimpleNamespace",
    "collections.deque",
    "builtins.set",
    "builtins.frozenset",
    "builtins.list",
    "builtins.tuple",
    "builtins.int",
    "builtins.float",
    "builtins.bool",
    "builtins.str",
    "builtins.bytes",
    "builtins.bytearray",
    "builtins.complex",
    "builtins.slice",
    "builtins.range",
    "builtins.object",
    "__builtin__.set",
    "__builtin__.frozenset",
    "__builtin__.list",
    "__builtin__.tuple",
    "__builtin__.int",
    "__builtin__.long",
    "__builtin__.float",
    "__builtin__.bool",
    "__builtin__.str",
    "__builtin__.unicode",
    "__builtin__.bytearray",
    "__builtin__.complex",
    "__builtin__.object",
    "copyreg._reconstructor",
    "copy_reg._reconstructor",
    "_codecs.encode",
    "datetime.date",
    "datetime.datetime",
    "datetime.time",
    "datetime.timedelta",
    "datetime.timezone",
    "pathlib.Path",
    "pathlib.PosixPath",
    "pathlib.PurePath",
    "pathlib.PurePosixPath",
    "pathlib.PureWindowsPath",
    "pathlib.WindowsPath",
    "pathlib._local.PosixPath",
    "pathlib._local.WindowsPath",
    "numpy.dtype",
    "numpy.ndarray",
    "numpy.core.multiarray._reconstruct",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray._reconstruct",
    "numpy._core.multiarray.scalar",
    "numpy.bool_",
    "numpy.float16",
    "numpy.float32",
    "numpy.float64",
    "numpy.int8",
    "numpy.int16",
    "numpy.int32",
    "numpy.int64",
    "numpy.uint8",
    "numpy.uint16",
    "numpy.uint32",
    "numpy.uint64",
    "numpy.dtypes.Float32DType",
    "numpy.dtypes.Float64DType",
    "numpy.dtypes.Int32DType",
    "numpy.dtypes.Int64DType",
    "torch.Size",
    "torch.torch_version.TorchVersion",
    "torch.device",
    "torch.Tensor",
    "torch.nn.parameter.Parameter",
    "torch.nn.parameter.Buffer",
    "torch.serialization._get_layout",
    "torch.contiguous_format",
    "torch.channels_last",
    "torch.preserve_format",
    "torch.strided",
};

Table make_table() {
  Table table;
  for (const NumberType& row : number_types) {
    table[std::string("torch.") + row.dtype] = {TorchMeaning::type, row.type, false};
    if (row.storage == nullptr) continue;
    for (const char* module : {"torch.", "torch.cuda.", "torch.storage."}) {
      table[std::string(module) + row.storage + "Storage"] = {TorchMeaning::storage, row.type, false};
    }
  }
  table["torch.storage.UntypedStorage"] = table["torch.UntypedStorage"] = {TorchMeaning::storage, DataType::u8, true};
  table["torch._utils._rebuild_tensor"] =
      table["torch._utils._rebuild_tensor_v2"] = {TorchMeaning::tensor, DataType::other, false};
  table["torch._utils._rebuild_tensor_v3"] = {TorchMeaning::typed_tensor, DataType::other, false};
  table["torch._utils._rebuild_parameter"] =
      table["torch._utils._rebuild_parameter_with_state"] = {TorchMeaning::wrapped_tensor, DataType::other, false};
  table["torch._tensor._rebuild_from_type_v2"] =
      table["torch._tensor._rebuild_from_type"] = {TorchMeaning::delegated, DataType::other, false};
  for (const char* name : dictionaries) table[name] = {TorchMeaning::dictionary, DataType::other, false};
  for (const char* name : inert) table[name] = {TorchMeaning::inert, DataType::other, false};
  return table;
}

}  // namespace

TorchName torch_name(const std::string& full) {
  static const Table& table = *new Table(make_table());  // never destroyed: a file may be read when the process ends
  const auto found = table.find(full);
  return found == table.end() ? TorchName() : found->second;
}

}  // namespace swav

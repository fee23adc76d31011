# The instruction set of each kernel file. Clang takes it from a pragma inside the file; other compilers from these flags.
# One line an instruction set: file, flags.
set(SWAV_ISA_FILES
  "cpp/kernels/isa_avx2.cpp|-mavx2 -mfma"
  "cpp/kernels/isa_avx512.cpp|-mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mprefer-vector-width=512"
  "cpp/kernels/isa_avx512_bf16.cpp|-mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512bf16 -mavx2 -mfma"
  "cpp/kernels/isa_avx512_bf16_rows.cpp|-mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512bf16 -mavx2 -mfma -mprefer-vector-width=512"
  "cpp/kernels/isa_amx.cpp|-mamx-tile -mamx-bf16 -mamx-int8")

function(swav_set_isa_flags)
  if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64" OR CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    return()
  endif()
  foreach(line IN LISTS SWAV_ISA_FILES)
    string(REPLACE "|" ";" parts "${line}")
    list(GET parts 0 file)
    list(GET parts 1 flags)
    separate_arguments(flags)
    # A precompiled header holds for the flags that it was compiled with.
    set_source_files_properties(${file} PROPERTIES COMPILE_OPTIONS "${flags}" SKIP_PRECOMPILE_HEADERS ON)
  endforeach()
endfunction()

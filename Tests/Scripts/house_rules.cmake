# cmake -D PACKAGE=folder -P house_rules.cmake
# Rules of the engine's tree that a reader relies on.
cmake_minimum_required(VERSION 3.22)
set(broken)

# Bodies that are no headers are called so, and no name stands for two things.
file(GLOB kernels RELATIVE ${PACKAGE}/cpp/kernels ${PACKAGE}/cpp/kernels/*.h ${PACKAGE}/cpp/kernels/*.cpp)
file(GLOB ops RELATIVE ${PACKAGE}/cpp/ops ${PACKAGE}/cpp/ops/*.h ${PACKAGE}/cpp/ops/*.cpp)
if(NOT kernels OR NOT ops)
  message(FATAL_ERROR "no sources in ${PACKAGE}/cpp")
endif()
foreach(file IN LISTS kernels)
  if(file MATCHES "\\.h$")
    file(READ ${PACKAGE}/cpp/kernels/${file} text)
    string(FIND "${text}" "#pragma once" guard)
    if(file MATCHES "\\.inl\\.h$" AND NOT guard EQUAL -1)
      list(APPEND broken "cpp/kernels/${file} is a header, and is called a body")
    elseif(NOT file MATCHES "\\.inl\\.h$" AND guard EQUAL -1)
      list(APPEND broken "cpp/kernels/${file} is no header: it is to be called .inl.h")
    endif()
  endif()
  string(REGEX REPLACE "(\\.inl)?\\.(h|cpp)$" "" name ${file})
  foreach(other IN LISTS ops)
    string(REGEX REPLACE "\\.(h|cpp)$" "" other_name ${other})
    if(name STREQUAL other_name)
      list(APPEND broken "cpp/kernels/${file} and cpp/ops/${other} have one name")
    endif()
  endforeach()
endforeach()

# Who may include whom (cpp/README.md): nothing flows back up. `api` may include everything.
set(may_include
  "base|base" "kernels|kernels base" "io|io base" "comm|comm base" "image|image kernels base" "optim|optim kernels base"
  "ops|ops comm kernels base" "evaluation|evaluation ops kernels base" "objective|objective ops comm kernels base"
  "network|network ops comm io image kernels base"
  "training|training network objective optim ops comm io image kernels base")
file(GLOB folders RELATIVE ${PACKAGE}/cpp ${PACKAGE}/cpp/*)
list(FILTER folders EXCLUDE REGEX "\\.md$|^api$")
foreach(folder IN LISTS folders)
  set(allowed ${may_include})
  list(FILTER allowed INCLUDE REGEX "^${folder}\\|")
  if(NOT allowed)
    list(APPEND broken "cpp/${folder} is in no rule of who may include whom")
  endif()
  string(REGEX REPLACE "^.*\\|" "" allowed "${allowed}")
  string(REPLACE " " "|" allowed "${allowed}")
  file(GLOB sources ${PACKAGE}/cpp/${folder}/*.h ${PACKAGE}/cpp/${folder}/*.cpp)
  foreach(file IN LISTS sources)
    file(STRINGS ${file} includes REGEX "^#include \"[a-z]+/")
    list(FILTER includes EXCLUDE REGEX "\"(${allowed})/")
    foreach(include IN LISTS includes)
      list(APPEND broken "${file}: ${include} flows back up")
    endforeach()
    # Below the interface nobody calls it.
    file(STRINGS ${file} calls REGEX "[^a-z_\"]swav_(network|trainer|classifier|image|crop|checkpoint|codes)_[a-z_]+\\(")
    list(FILTER calls EXCLUDE REGEX "^ *//|_default\\(")
    foreach(call IN LISTS calls)
      list(APPEND broken "${file} calls the interface from below: ${call}")
    endforeach()
  endforeach()
endforeach()

# Measuring and looking at images need no training.
file(GLOB_RECURSE below ${PACKAGE}/Sources/SwAVInspection/*.swift ${PACKAGE}/Sources/SwAVBenchmark/*.swift)
foreach(file IN LISTS below)
  file(STRINGS ${file} imports REGEX "import SwAVTraining")
  if(imports)
    list(APPEND broken "${file} imports SwAVTraining")
  endif()
endforeach()

# No file is longer than 400 lines, but swav.h, which is the whole interface, and what protoc writes.
file(GLOB_RECURSE files ${PACKAGE}/cpp/*.h ${PACKAGE}/cpp/*.cpp ${PACKAGE}/Tests/*.h ${PACKAGE}/Tests/*.c ${PACKAGE}/Tests/*.cpp
     ${PACKAGE}/Tests/*.swift ${PACKAGE}/Tests/*.py ${PACKAGE}/Sources/*.swift ${PACKAGE}/Sources/*.py)
list(FILTER files EXCLUDE REGEX "\\.pb\\.swift$")
foreach(file IN LISTS files)
  file(READ ${file} text)
  string(REGEX MATCHALL "\n" lines "${text}")
  list(LENGTH lines count)
  if(count GREATER 400)
    list(APPEND broken "${file} has ${count} lines, 400 are allowed")
  endif()
endforeach()

if(broken)
  list(JOIN broken "\n" text)
  message(FATAL_ERROR "${text}")
endif()

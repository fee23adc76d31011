# cmake -DNM=nm -DOBJECTS=a.o|b.o -P lasting_objects.cmake
# A process may end while the engine's threads work: nothing that they read may be destroyed then. So no object of the engine
# registers a destructor of something static: such values are constants without one, or made by `new` and left.
string(REPLACE "|" ";" OBJECTS "${OBJECTS}")
list(LENGTH OBJECTS count)
if(count EQUAL 0)
  message(FATAL_ERROR "no object was found")
endif()
execute_process(COMMAND ${NM} --undefined-only --print-file-name ${OBJECTS} OUTPUT_VARIABLE symbols RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "nm cannot read the objects")
endif()
string(REGEX MATCHALL "[^\n]*__cxa_atexit" broken "${symbols}")
if(broken)
  message(FATAL_ERROR "something static is destroyed when the process ends, perhaps under a step that goes on: ${broken}")
endif()

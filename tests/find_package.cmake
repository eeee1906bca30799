# Installs a build into an empty prefix, builds examples/embed_cpp against nothing but that, and runs it.
#   cmake -DBUILD=<build> -DSOURCE=<examples/embed_cpp> -DWORK=<scratch> -DCOMPILER=<c++> -P find_package.cmake
file(REMOVE_RECURSE ${WORK})
foreach(command
    "${CMAKE_COMMAND};--install;${BUILD};--prefix;${WORK}/prefix"
    "${CMAKE_COMMAND};-S;${SOURCE};-B;${WORK}/build;-G;Ninja;-DCMAKE_PREFIX_PATH=${WORK}/prefix;-DCMAKE_CXX_COMPILER=${COMPILER}"
    "${CMAKE_COMMAND};--build;${WORK}/build"
    "${WORK}/build/embed_cpp;${WORK}/data")
  execute_process(COMMAND ${command} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${command}\nended with ${result}\n${output}")
  endif()
endforeach()
if(NOT output MATCHES "best of 40 trials")
  message(FATAL_ERROR "the program printed: ${output}")
endif()

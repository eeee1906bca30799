# Installs a build into an empty prefix, builds the examples that embed tuner against nothing but that, and runs them.
#   cmake -DBUILD=<build> -DSOURCE=<examples> -DWORK=<scratch> -DCOMPILER=<c++> -P find_package.cmake
file(REMOVE_RECURSE ${WORK})
function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${ARGN}\nended with ${result}\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/prefix)
foreach(example embed_cpp custom_executor)
  run(${CMAKE_COMMAND} -S ${SOURCE}/${example} -B ${WORK}/${example} -G Ninja -DCMAKE_PREFIX_PATH=${WORK}/prefix
    -DCMAKE_CXX_COMPILER=${COMPILER})
  run(${CMAKE_COMMAND} --build ${WORK}/${example})
  run(${WORK}/${example}/${example} ${WORK}/${example}-data)
  if(NOT output MATCHES "best of 40 trials")
    message(FATAL_ERROR "${example} printed: ${output}")
  endif()
endforeach()

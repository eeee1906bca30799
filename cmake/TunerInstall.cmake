# Installs the programs, the libraries that an embedding program links, their headers, and the package that find_package(tuner)
# finds. The libraries are the link closure of tuner::embed, found by walking it, so that none can be forgotten.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(TUNER_HEADER_DIR ${CMAKE_INSTALL_INCLUDEDIR}/tuner)
set(TUNER_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/tuner)

# tuner_link_closure(target out): the targets of this project that `target` links, itself included.
function(tuner_link_closure target out)
  set(todo ${target})
  set(closure "")
  while(todo)
    list(POP_FRONT todo item)
    string(REGEX REPLACE "^\\$<LINK_ONLY:(.*)>$" "\\1" item "${item}")
    string(REGEX REPLACE "^tuner::" "tuner_" item "${item}")
    if(item MATCHES "^tuner_" AND TARGET ${item} AND NOT item IN_LIST closure)
      list(APPEND closure ${item})
      get_target_property(links ${item} INTERFACE_LINK_LIBRARIES)
      if(links)
        list(APPEND todo ${links})
      endif()
    endif()
  endwhile()
  set(${out} ${closure} PARENT_SCOPE)
endfunction()

function(tuner_install)
  install(TARGETS tuner tuner-supervisor RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  tuner_link_closure(tuner_embed libraries)
  install(TARGETS ${libraries} EXPORT tunerTargets
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}/tuner INCLUDES DESTINATION ${TUNER_HEADER_DIR})
  install(EXPORT tunerTargets NAMESPACE tuner:: DESTINATION ${TUNER_PACKAGE_DIR})
  install(DIRECTORY core/ DESTINATION ${TUNER_HEADER_DIR}/core FILES_MATCHING PATTERN "*.h")
  foreach(header tuner/embed/tuner.h proto/job_file.h proto/convert.h strategies/strategy.h executors/executor.h
      executors/circuit_breaker.h executors/decorate.h executors/rate_limit.h executors/retrying.h storage/storage.h)
    cmake_path(GET header PARENT_PATH folder)
    install(FILES ${header} DESTINATION ${TUNER_HEADER_DIR}/${folder})
  endforeach()
  install(DIRECTORY ${PROJECT_BINARY_DIR}/proto/tuner/ DESTINATION ${TUNER_HEADER_DIR}/tuner
    FILES_MATCHING PATTERN "*.pb.h" PATTERN "*.grpc.pb.h" EXCLUDE)
  install(DIRECTORY proto/tuner/v1/ DESTINATION ${CMAKE_INSTALL_DATADIR}/tuner/proto/tuner/v1 FILES_MATCHING PATTERN "*.proto")
  configure_package_config_file(cmake/tunerConfig.cmake.in ${PROJECT_BINARY_DIR}/tunerConfig.cmake
    INSTALL_DESTINATION ${TUNER_PACKAGE_DIR} NO_SET_AND_CHECK_MACRO)
  write_basic_package_version_file(${PROJECT_BINARY_DIR}/tunerConfigVersion.cmake COMPATIBILITY SameMinorVersion)
  install(FILES ${PROJECT_BINARY_DIR}/tunerConfig.cmake ${PROJECT_BINARY_DIR}/tunerConfigVersion.cmake DESTINATION ${TUNER_PACKAGE_DIR})
endfunction()

# How every target of this project is built: one folder = one target, files listed.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

find_program(TUNER_CCACHE ccache)
if(TUNER_CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${TUNER_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${TUNER_CCACHE})
endif()
find_program(TUNER_MOLD mold)
if(TUNER_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

add_compile_options(-Wall -Wextra -Wshadow -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-Wno-maybe-uninitialized)  # false alarms of GCC 12 on std::variant
endif()
if(TUNER_WERROR)
  # GCC 12 warns of overlaps inside of std::string's operator+ that cannot be (its bug 105651).
  add_compile_options(-Werror $<$<CXX_COMPILER_ID:GNU>:-Wno-error=restrict>)
endif()
if(TUNER_SANITIZE)
  add_compile_options(-fsanitize=${TUNER_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${TUNER_SANITIZE})
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # -Wshadow is g++'s, which asks less.
  add_compile_options(-Wthread-safety -Werror=thread-safety -Wno-shadow)
endif()

# tuner_library(name SOURCES a.cc ... DEPS x y ...): static library tuner_<name>, alias tuner::<name>, with
# the project's root on its include path.
function(tuner_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS;PRIVATE_DEPS" ${ARGN})
  add_library(tuner_${name} STATIC ${ARG_SOURCES})
  add_library(tuner::${name} ALIAS tuner_${name})
  set_target_properties(tuner_${name} PROPERTIES EXPORT_NAME ${name})
  target_include_directories(tuner_${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:include/tuner>)
  target_link_libraries(tuner_${name} PUBLIC ${ARG_DEPS} PRIVATE ${ARG_PRIVATE_DEPS})
endfunction()

# tuner_test(name SOURCES a_test.cc ... DEPS x y ... [LABELS l ...] [TIMEOUT seconds]): a GoogleTest binary, each of its tests known to ctest.
include(GoogleTest)
function(tuner_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;DEPS;LABELS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} GTest::gmock GTest::gtest_main)
  gtest_discover_tests(${name} TEST_PREFIX "${name}." DISCOVERY_TIMEOUT 60
    PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABELS}")
endfunction()

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
# -O3 takes longer, and nothing here but the strategies' arithmetic is faster by it.
string(REPLACE "-O3" "-O2" CMAKE_CXX_FLAGS_RELEASE "${CMAKE_CXX_FLAGS_RELEASE}")
# The same for libraries and programs, as what is precompiled is for both.
set(CMAKE_CXX_COMPILE_OPTIONS_PIE -fPIC)
add_compile_options(-pthread)

find_program(TUNER_CCACHE ccache)
if(TUNER_CCACHE)
  # What ccache asks for with precompiled headers, and that another checkout finds the same results.
  set(TUNER_LAUNCHER env CCACHE_SLOPPINESS=pch_defines,time_macros CCACHE_BASEDIR=${PROJECT_SOURCE_DIR})
  if(CMAKE_BUILD_TYPE STREQUAL "Release")
    list(APPEND TUNER_LAUNCHER CCACHE_NOHASHDIR=1)  # others' debug information names the folder
  endif()
  set(CMAKE_C_COMPILER_LAUNCHER ${TUNER_LAUNCHER} ${TUNER_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${TUNER_LAUNCHER} ${TUNER_CCACHE})
endif()
find_program(TUNER_MOLD mold)
if(TUNER_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

add_compile_options(-Wall -Wextra -Wshadow -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # Collects its garbage later: a twentieth of the time for a tenth more memory.
  add_compile_options(--param=ggc-min-heapsize=1000000)
  # False alarms of GCC 12 on std::variant, and at -O2 on strings that are moved (its bug 105651).
  add_compile_options(-Wno-maybe-uninitialized -Wno-array-bounds)
endif()
if(TUNER_WERROR)
  # GCC 12 warns of overlaps and overflows inside of std::string's operator+ and moves that cannot be (its bug 105651).
  add_compile_options(-Werror)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wno-error=restrict -Wno-error=stringop-overread -Wno-error=stringop-overflow)
  endif()
endif()
if(TUNER_SANITIZE)
  # Stack traces need lines, not variables.
  string(REPLACE "-O2 -g" "-O1 -g1" CMAKE_CXX_FLAGS_RELWITHDEBINFO "${CMAKE_CXX_FLAGS_RELWITHDEBINFO}")
  add_compile_options(-fsanitize=${TUNER_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${TUNER_SANITIZE})
endif()
if(TUNER_SANITIZE STREQUAL "thread")
  set(TUNER_TSAN_ABSEIL ${PROJECT_SOURCE_DIR}/.cache/tsan-abseil)
  if(NOT EXISTS ${TUNER_TSAN_ABSEIL}/version)
    message(FATAL_ERROR "No Abseil whose locks the thread sanitizer knows: run scripts/install-tsan-abseil first")
  endif()
  add_link_options(-Wl,--disable-new-dtags,-rpath,${TUNER_TSAN_ABSEIL}/lib)
  # protobuf's map fields have two members more under this sanitizer, of which Debian's library does not know. The standard library goes on
  # to know of it, or std::shared_ptr would count in a way that it misreads.
  add_compile_options(-U__SANITIZE_THREAD__ -D_GLIBCXX_TSAN=1)
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
  tuner_use_precompiled(tuner_${name})
  if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
    # Several files at once: headers and templates are compiled for all of them. The preset clang-locks sees to it that each stands alone.
    set_target_properties(tuner_${name} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 5)
  endif()
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
  tuner_use_precompiled(${name})
  gtest_discover_tests(${name} TEST_PREFIX "${name}." DISCOVERY_TIMEOUT 60
    PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABELS}")
endfunction()

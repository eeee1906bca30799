# Precompiled headers: what most files of a kind include from elsewhere, parsed once for each kind.
#
#   core            the standard library and absl
#   messages        and the API's messages
#   service         and gRPC with the API's service
#   tests           core's and GoogleTest
#   service_tests   service's and GoogleTest
#
# A folder says `set(TUNER_PRECOMPILED kind)`; its libraries, programs and tests take part. Files go on to include what they use: Clang's
# builds, and those with CMAKE_DISABLE_PRECOMPILE_HEADERS, do without. A kind's users must be compiled with its very options: GCC 12 reads what
# was precompiled at another -O, and then dies of it.
if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  set(CMAKE_DISABLE_PRECOMPILE_HEADERS ON)
endif()

set(TUNER_PRECOMPILED_CORE
  <algorithm> <array> <charconv> <cmath> <cstdint> <filesystem> <fstream> <functional> <limits> <map> <memory> <optional> <set> <string>
  <string_view> <utility> <variant> <vector>
  <absl/container/btree_map.h> <absl/container/flat_hash_map.h> <absl/container/flat_hash_set.h> <absl/status/status.h>
  <absl/status/statusor.h> <absl/strings/ascii.h> <absl/strings/escaping.h> <absl/strings/match.h> <absl/strings/numbers.h>
  <absl/strings/str_cat.h> <absl/strings/str_format.h> <absl/strings/str_join.h> <absl/strings/str_split.h> <absl/strings/strip.h>
  <absl/synchronization/mutex.h> <absl/time/clock.h> <absl/time/time.h> <absl/types/span.h>
)
set(TUNER_PRECOMPILED_MESSAGES ${TUNER_PRECOMPILED_CORE} <tuner/v1/tuning_service.pb.h>)
set(TUNER_PRECOMPILED_SERVICE ${TUNER_PRECOMPILED_MESSAGES} <grpcpp/grpcpp.h> <tuner/v1/tuning_service.grpc.pb.h>)

# tuner_precompile(kind HEADERS h ... [DEPS x ...]): makes a kind, with the options of the folder that calls it.
function(tuner_precompile kind)
  cmake_parse_arguments(ARG "" "" "HEADERS;DEPS" ${ARGN})
  set(source ${PROJECT_BINARY_DIR}/precompiled/${kind}.cc)
  file(CONFIGURE OUTPUT ${source} CONTENT "// Nothing: the headers are what is wanted.\n")
  add_library(tuner_precompiled_${kind} OBJECT ${source})
  target_link_libraries(tuner_precompiled_${kind} PRIVATE ${ARG_DEPS})
  target_precompile_headers(tuner_precompiled_${kind} PRIVATE ${ARG_HEADERS})
endfunction()

# tuner_use_precompiled(target): with the kind that its folder names, if any.
function(tuner_use_precompiled target)
  if(TUNER_PRECOMPILED)
    target_precompile_headers(${target} REUSE_FROM tuner_precompiled_${TUNER_PRECOMPILED})
  endif()
endfunction()

# Debian 12 packages; scripts/install-dependencies names them.
find_package(absl REQUIRED)
find_package(Protobuf REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(Boost 1.74 REQUIRED COMPONENTS filesystem)
find_package(yaml-cpp REQUIRED)
find_package(CLI11 CONFIG REQUIRED)
find_package(OpenSSL REQUIRED)
pkg_check_modules(RE2 REQUIRED IMPORTED_TARGET re2)
find_package(Eigen3 3.4 REQUIRED NO_MODULE)
pkg_check_modules(NLOPT REQUIRED IMPORTED_TARGET nlopt)
# Eigen as strategies/gp and its tests use it: on the caller's thread, with nothing in it that would bind an embedding program's
# licence, and with matrices aligned for the widest instructions, since sums round by where in memory they begin.
add_library(tuner_eigen INTERFACE)
add_library(tuner::eigen ALIAS tuner_eigen)
target_link_libraries(tuner_eigen INTERFACE Eigen3::Eigen)
target_compile_definitions(tuner_eigen INTERFACE EIGEN_DONT_PARALLELIZE EIGEN_MAX_ALIGN_BYTES=64 EIGEN_MPL2_ONLY)

if(TUNER_BUILD_TESTS)
  find_package(GTest REQUIRED)
endif()

// Every bad field of a malformed specification is named in the one answer of CreateTuningJob (issue 3, acceptance 5).
#include "tests/proto/malformed_specs.h"

#include <set>

#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/job_file.h"
#include "tests/server/test_server.h"

namespace tuner::server {
namespace {

// The paths that a refusal names: one per line before ": ", and those that had no room for their texts behind the last
// one.
std::set<std::string> NamedPaths(const std::string& message) {
  std::set<std::string> paths;
  for (const absl::string_view line : absl::StrSplit(message, '\n')) {
    const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(line, absl::MaxSplits(": ", 1));
    if (parts.first.substr(0, 10) == "also wrong") {
      for (const absl::string_view path : absl::StrSplit(parts.second, ", ")) paths.emplace(path);
    } else {
      paths.emplace(parts.first);
    }
  }
  return paths;
}

TEST(MalformedSpecsTest, AllBadFieldsComeBackOverGrpc) {
  ServerConfig config;
  config.listen = {"unix"};  // over a real transport, with its bound on metadata
  TestServer server(config);
  const auto stub = v1::TuningService::NewStub(server.ChannelTo(0));
  for (const testing::MalformedSpec& malformed : testing::LoadMalformedSpecs()) {
    SCOPED_TRACE(malformed.name);
    const absl::StatusOr<v1::TuningJobSpec> spec = job_file::ParseJobFile(malformed.yaml);
    ASSERT_TRUE(spec.ok()) << spec.status();
    for (const bool validate_only : {false, true}) {
      v1::CreateTuningJobRequest request;
      *request.mutable_spec() = *spec;
      request.set_validate_only(validate_only);
      v1::CreateTuningJobResponse response;
      const grpc::Status status = stub->CreateTuningJob(Context().get(), request, &response);
      EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << status.error_message();
      EXPECT_THAT(NamedPaths(status.error_message()), ::testing::UnorderedElementsAreArray(malformed.paths))
          << status.error_message();
    }
  }
}

TEST(MalformedSpecsTest, WhatTheyAreVariationsOfIsAccepted) {
  TestServer server;
  const absl::StatusOr<v1::TuningJobSpec> spec = job_file::ParseJobFile(testing::WellFormedSpecYaml());
  ASSERT_TRUE(spec.ok()) << spec.status();
  v1::CreateTuningJobRequest request;
  *request.mutable_spec() = *spec;
  request.set_validate_only(true);
  v1::CreateTuningJobResponse response;
  const grpc::Status status = server.stub().CreateTuningJob(Context().get(), request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
}

}  // namespace
}  // namespace tuner::server

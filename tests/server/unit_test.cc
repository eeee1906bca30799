// The parts of the server that need no server: messages, pages, addresses, tokens, options.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "google/protobuf/descriptor.h"
#include "tests/server/test_server.h"
#include "tuner/requests/field_order.h"
#include "tuner/requests/problems.h"
#include "tuner/requests/sha256.h"
#include "tuner/server/components.h"
#include "tuner/server/listen.h"
#include "tuner/server/option_texts.h"
#include "tuner/server/paging.h"
#include "tuner/server/status.h"
#include "tuner/server/tokens.h"
#include "tuner/server/watch.h"

namespace tuner::server {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(StatusTest, EveryCodeKeepsItsName) {
  EXPECT_EQ(ToGrpc(absl::OkStatus()).error_code(), grpc::StatusCode::OK);
  EXPECT_EQ(ToGrpc(absl::InvalidArgumentError("")).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ToGrpc(absl::NotFoundError("")).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(ToGrpc(absl::AlreadyExistsError("")).error_code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_EQ(ToGrpc(absl::PermissionDeniedError("")).error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(ToGrpc(absl::ResourceExhaustedError("")).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(ToGrpc(absl::FailedPreconditionError("")).error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(ToGrpc(absl::AbortedError("")).error_code(), grpc::StatusCode::ABORTED);
  EXPECT_EQ(ToGrpc(absl::OutOfRangeError("")).error_code(), grpc::StatusCode::OUT_OF_RANGE);
  EXPECT_EQ(ToGrpc(absl::UnimplementedError("")).error_code(), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(ToGrpc(absl::UnavailableError("")).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ToGrpc(absl::DataLossError("")).error_code(), grpc::StatusCode::DATA_LOSS);
  EXPECT_EQ(ToGrpc(absl::UnauthenticatedError("")).error_code(), grpc::StatusCode::UNAUTHENTICATED);
}

TEST(StatusTest, ALongMessageFitsIntoTheMetadataAndStaysUtf8) {
  std::string text;
  while (text.size() < 20'000) text += "ü";
  const std::string sent = ToGrpc(absl::InternalError(text)).error_message();
  EXPECT_LT(sent.size() * 3, 8192);
  EXPECT_EQ(sent.size() % 2, 0) << "cut inside of a character";
}

TEST(StatusTest, ProblemsAreOneLineEach) {
  EXPECT_TRUE(requests::InvalidArgument({}).ok());
  EXPECT_EQ(requests::InvalidArgument({{"a", "is bad"}, {"", "whole"}}).message(), "a: is bad\nwhole");
}

TEST(StatusTest, EveryPathOfAHundredProblemsIsNamed) {
  core::Problems problems;
  for (int i = 0; i < 100; ++i) {
    problems.push_back({absl::StrCat("parameters[", i, "].double.min"), std::string(100, 'x')});
  }
  const std::string message = ToGrpc(requests::InvalidArgument(problems)).error_message();
  for (const core::Problem& problem : problems) EXPECT_THAT(message, HasSubstr(problem.path));
}

TEST(FieldOrderTest, SortsAsTheSchemaDeclares) {
  core::Problems problems = {{"trial.process.command", ""},
                             {"parameters[10].name", ""},
                             {"name", ""},
                             {"static_parameters.b", ""},
                             {"parameters[2].name", ""},
                             {"objective.goal", ""},
                             {"static_parameters.a.c", ""},
                             {"nothing", ""},
                             {"name", ""},
                             {"limits.max_trials", ""},
                             {"parameters", ""}};
  requests::SortProblems(problems);
  std::vector<std::string> paths;
  for (const core::Problem& problem : problems) paths.push_back(problem.path);
  EXPECT_THAT(paths, ElementsAre("name", "objective.goal", "parameters", "parameters[2].name", "parameters[10].name",
                                 "static_parameters.a.c", "static_parameters.b", "limits.max_trials",
                                 "trial.process.command", "nothing"));
}

TEST(PagingTest, SizesAreBoundedAndTokensBelongToTheirArguments) {
  v1::ListTrialsRequest request;
  request.set_parent("tuningJobs/a");
  absl::StatusOr<Page> page = ReadPage(request);
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->limit, 100);
  EXPECT_EQ(NextToken(*page, ""), "");
  request.set_page_token(NextToken(*page, "place"));
  request.set_page_size(7);
  page = ReadPage(request);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(page->after, "place");
  EXPECT_EQ(page->limit, 7);
  request.set_filter("number > 1");
  EXPECT_THAT(std::string(ReadPage(request).status().message()), HasSubstr("page_token"));
  request.set_page_token("?");
  EXPECT_TRUE(absl::IsInvalidArgument(ReadPage(request).status()));
  request.clear_page_token();
  for (const int size : {-1, 1001}) {
    request.set_page_size(size);
    EXPECT_TRUE(absl::IsInvalidArgument(ReadPage(request).status())) << size;
  }
}

TEST(ListenTest, ReadsAddresses) {
  EXPECT_EQ(ParseListenAddress("127.0.0.1:7070")->ToString(), "127.0.0.1:7070");
  EXPECT_EQ(ParseListenAddress("[::1]:0")->ToString(), "[::1]:0");
  EXPECT_EQ(ParseListenAddress("unix:/a/../b")->ToString(), "unix:/b");
  EXPECT_EQ(ParseListenAddress("unix:///b")->ToString(), "unix:/b");
  for (const char* text : {"localhost:1", "127.1.2.3:1", "[::1]:1", "unix:/x"}) {
    EXPECT_TRUE(ParseListenAddress(text)->loopback) << text;
  }
  for (const char* text : {"0.0.0.0:1", "10.0.0.1:1", "[::]:1", "example.org:1", "127.0.0.1.example.org:1"}) {
    EXPECT_FALSE(ParseListenAddress(text)->loopback) << text;
  }
  for (const char* text : {"", "7070", ":7070", "host:", "host:x", "host:70000", "host:-1", "unix:", "[]:1"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseListenAddress(text).status())) << text;
  }
}

TEST(ListenTest, OtherAddressesNeedTlsAndTokens) {
  const auto check = [](const std::string& address, bool tls, bool no_auth, bool allow_insecure) {
    ServerConfig config;
    config.listen = {"127.0.0.1:0", address};
    if (tls) config.tls_cert = config.tls_key = "file";
    config.no_auth = no_auth;
    config.allow_insecure = allow_insecure;
    return CheckedListenAddresses(config).status().code();
  };
  EXPECT_EQ(check("0.0.0.0:1", false, false, false), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(check("0.0.0.0:1", true, true, false), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(check("0.0.0.0:1", true, false, false), absl::StatusCode::kOk);
  EXPECT_EQ(check("0.0.0.0:1", false, false, true), absl::StatusCode::kOk);
  EXPECT_EQ(check("[::1]:1", false, true, false), absl::StatusCode::kOk);
  ServerConfig half;
  half.tls_cert = "file";
  EXPECT_TRUE(absl::IsInvalidArgument(CheckedListenAddresses(half).status()));
}

TEST(ListenTest, RemovesOnlySocketsThatNobodyAnswers) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/socket";
  EXPECT_TRUE(PrepareSocketPath(path).ok());
  const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(listen(listener, 1), 0);
  EXPECT_TRUE(absl::IsUnavailable(PrepareSocketPath(path)));
  EXPECT_EQ(access(path.c_str(), F_OK), 0);
  close(listener);
  EXPECT_TRUE(PrepareSocketPath(path).ok());
  EXPECT_NE(access(path.c_str(), F_OK), 0);
  std::ofstream(path) << "text";
  EXPECT_TRUE(absl::IsAlreadyExists(PrepareSocketPath(path)));
  EXPECT_EQ(access(path.c_str(), F_OK), 0);
  EXPECT_TRUE(absl::IsInvalidArgument(PrepareSocketPath("/" + std::string(200, 'x'))));
}

TEST(TokensTest, NamesAreCheckedAndHashesAreKept) {
  const TemporaryFolder folder;
  EXPECT_TRUE(absl::IsNotFound(ReadServerToken(folder.path()).status()));
  EXPECT_EQ(*ReadOrMakeServerToken(folder.path()), *ReadOrMakeServerToken(folder.path()));
  EXPECT_EQ(*ReadOrMakeServerToken(folder.path()), *ReadServerToken(folder.path()));
  EXPECT_TRUE(ListTokens(folder.path())->empty());
  const absl::Time now = absl::FromUnixSeconds(1'700'000'000);
  const std::string token = *CreateToken(folder.path(), "ann", now);
  EXPECT_TRUE(absl::IsAlreadyExists(CreateToken(folder.path(), "ann", now).status()));
  for (const char* name : {"", "a b", "-a", "a\n"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(CreateToken(folder.path(), name, now).status())) << name;
  }
  const std::vector<NamedToken> tokens = *ListTokens(folder.path());
  ASSERT_EQ(tokens.size(), 1u);
  EXPECT_EQ(tokens[0].name, "ann");
  EXPECT_EQ(tokens[0].sha256, requests::Sha256(token));
  EXPECT_EQ(tokens[0].create_time, now);
  std::ifstream file(folder.path() + "/tokens");
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  EXPECT_THAT(text, testing::Not(HasSubstr(token)));
  EXPECT_TRUE(absl::IsNotFound(RevokeToken(folder.path(), "bob")));
  EXPECT_TRUE(RevokeToken(folder.path(), "ann").ok());
  EXPECT_TRUE(ListTokens(folder.path())->empty());
  std::ofstream(folder.path() + "/tokens") << "damaged line\n";
  EXPECT_TRUE(absl::IsDataLoss(ListTokens(folder.path()).status()));
}

// Every option of every message that a oneof of the API may hold.
void ExpectAllOptionsAreDescribed(const std::vector<v1::ComponentInfo>& infos, size_t arms) {
  EXPECT_EQ(infos.size(), arms);
  for (const v1::ComponentInfo& info : infos) {
    EXPECT_FALSE(info.description().empty()) << info.name();
    EXPECT_NE(info.available(), !info.unavailable_reason().empty()) << info.name();
    for (const v1::OptionInfo& option : info.options()) {
      EXPECT_FALSE(option.description().empty()) << info.name() << "." << option.name();
      EXPECT_FALSE(option.type().empty()) << info.name() << "." << option.name();
      EXPECT_EQ(option.type() == "enum", option.enum_values_size() > 0) << info.name() << "." << option.name();
    }
  }
}

TEST(ComponentsTest, DescribeEveryOption) {
  ExpectAllOptionsAreDescribed(StrategyInfos(), 5);
  ExpectAllOptionsAreDescribed(EarlyStoppingRuleInfos(), 6);
  ExpectAllOptionsAreDescribed(ExecutorInfos({}, {{"process", {}}, {"external", {}}}, {}), 7);
}

TEST(ComponentsTest, SayWhatIsThere) {
  for (const v1::ComponentInfo& info : StrategyInfos()) {
    EXPECT_EQ(info.available(), info.name() != "custom") << info.name();
  }
  for (const v1::ComponentInfo& info : EarlyStoppingRuleInfos()) {
    EXPECT_EQ(info.available(), info.name() != "custom") << info.name();
  }
  for (const v1::ComponentInfo& info :
       ExecutorInfos({}, {{"external", {.is_external = true}}}, {{"process", "no room"}})) {
    EXPECT_EQ(info.available(), info.name() == "external") << info.name();
    if (info.name() == "external") {
      EXPECT_THAT(info.capabilities(), ElementsAre("is_external"));
    }
    if (info.name() == "process") {
      EXPECT_EQ(info.unavailable_reason(), "no room");
    }
  }
}

TEST(ChangeMessagesTest, NewestStateOfATrialAndAllMeasurements) {
  std::vector<storage::ChangePage::Entry> entries(2);
  core::Trial trial;
  trial.number = 1;
  trial.state = core::TrialState::kPending;
  entries[0] = {5, {core::TrialPut{trial}, core::MeasurementPut{1, {.metric = "a", .value = 1}}}};
  trial.state = core::TrialState::kRunning;
  core::JobHeader header;
  header.job_id = "job";
  entries[1] = {6, {core::TrialPut{trial}, core::MeasurementPut{1, {.metric = "a", .value = 2}}, core::JobPut{header}}};
  const auto to_proto = [](const core::JobHeader& put, storage::Revision revision) {
    v1::TuningJob job;
    job.set_name(put.job_id);
    job.set_revision(revision);
    return job;
  };
  const std::vector<v1::WatchTuningJobResponse> messages = ChangeMessages("job", 4, entries, to_proto);
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].revision(), 6);
  EXPECT_EQ(messages[0].job().revision(), 6);
  ASSERT_EQ(messages[0].trials_size(), 1);
  EXPECT_EQ(messages[0].trials(0).state(), v1::Trial::RUNNING);
  EXPECT_EQ(messages[0].measurements_size(), 2);
}

TEST(ChangeMessagesTest, AreBoundedAndSplitCommitsCannotBeSkipped) {
  std::vector<storage::ChangePage::Entry> entries(2);
  for (int i = 0; i < 2; ++i) {
    entries[i].revision = 8 + i;
    for (int step = 0; step < 10'000; ++step) {
      entries[i].changes.push_back(core::MeasurementPut{1, {.metric = std::string(200, 'm'), .step = step}});
    }
  }
  const std::vector<v1::WatchTuningJobResponse> messages = ChangeMessages("job", 7, entries, nullptr);
  EXPECT_GT(messages.size(), 2u);
  int measurements = 0;
  for (const v1::WatchTuningJobResponse& message : messages) {
    EXPECT_LT(message.ByteSizeLong(), size_t{4} << 20);
    measurements += message.measurements_size();
    // Whoever stops reading here and rejoins with this revision misses nothing.
    EXPECT_LE(message.revision(), 7 + measurements / 10'000);
  }
  EXPECT_EQ(measurements, 20'000);
  EXPECT_EQ(messages.back().revision(), 9);
}

}  // namespace
}  // namespace tuner::server

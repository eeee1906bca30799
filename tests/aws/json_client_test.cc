#include "executors/aws/json_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/aws/aws_fixture.h"
#include "tests/aws/scripted_server.h"

namespace tuner::executors::aws {
namespace {

using ::testing::AllOf;
using testing::AwsFixture;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::HasSubstr;
using testing::HttpDate;
using ::testing::Le;
using ::testing::Not;
using testing::ReceivedRequest;
using testing::ScriptedReply;
using testing::ScriptedServer;
using ::testing::SizeIs;

constexpr char kCreate[] = "SageMaker.CreateTrainingJob";
constexpr char kDescribe[] = "SageMaker.DescribeTrainingJob";

ScriptedReply Refusal(int code, const std::string& type, const std::string& message) {
  return {.code = code,
          .body = absl::StrCat("{\"__type\":\"", type, "\",\"message\":\"", message, "\"}"),
          .headers = {{"x-amzn-RequestId", "request-1"}}};
}

// Gives these answers in turn, then 200.
ScriptedServer::Answer InTurn(std::vector<ScriptedReply> replies) {
  return [replies = std::move(replies), next = size_t{0}](const ReceivedRequest&) mutable {
    return next < replies.size() ? replies[next++] : ScriptedReply{.body = "{\"done\":true}"};
  };
}

class JsonClientTest : public ::testing::Test, public AwsFixture {
 protected:
  absl::StatusOr<std::string> Call(const ScriptedServer& server, const std::string& target,
                                   const CallOptions& options = {}) {
    return JsonClient(Options(server.url()), services()).Call(target, "{}", options);
  }
};

TEST_F(JsonClientTest, SendsWhatAwsJsonWants) {
  ScriptedServer server(InTurn({}));
  JsonClient client(Options(server.url() + "/"), services());
  const absl::StatusOr<std::string> answer = client.Call(kCreate, "{\"TrainingJobName\":\"é\"}");
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(*answer, "{\"done\":true}");
  ASSERT_THAT(server.received(), SizeIs(1));
  const ReceivedRequest request = server.received()[0];
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.target, "/");
  EXPECT_EQ(request.body, "{\"TrainingJobName\":\"é\"}");
  EXPECT_EQ(request.header("content-type"), "application/x-amz-json-1.1");
  EXPECT_EQ(request.header("x-amz-target"), kCreate);
  EXPECT_EQ(request.header("x-amz-date"), "20260102T030405Z");
  EXPECT_EQ(request.header("x-amz-security-token"), testing::kToken);
  EXPECT_THAT(request.header("authorization"),
              HasSubstr("Credential=AKIDTEST/20260102/eu-west-1/sagemaker/aws4_request, "
                        "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target,"));
}

TEST_F(JsonClientTest, AnEmptyAnswerIsAnEmptyObject) {
  ScriptedServer server([](const ReceivedRequest&) { return ScriptedReply{}; });
  EXPECT_EQ(Call(server, "SageMaker.StopTrainingJob").value(), "{}");
}

TEST_F(JsonClientTest, TellsWhatTheServiceSaid) {
  struct Case {
    ScriptedReply reply;
    absl::StatusCode status;
    std::string code;
  };
  const std::vector<Case> cases = {
      {Refusal(400, "com.amazonaws.sagemaker#ResourceInUse:http://x/", "exists"), absl::StatusCode::kAlreadyExists,
       "ResourceInUse"},
      {Refusal(400, "ResourceNotFound", "none"), absl::StatusCode::kNotFound, "ResourceNotFound"},
      {Refusal(400, "ValidationException", "Requested resource not found."), absl::StatusCode::kNotFound,
       "ValidationException"},
      {Refusal(400, "ValidationException", "1 validation error"), absl::StatusCode::kInvalidArgument,
       "ValidationException"},
      {Refusal(400, "ResourceLimitExceeded", "quota"), absl::StatusCode::kResourceExhausted, "ResourceLimitExceeded"},
      {Refusal(400, "AccessDeniedException", "no"), absl::StatusCode::kPermissionDenied, "AccessDeniedException"},
      {Refusal(400, "UnrecognizedClientException", "who"), absl::StatusCode::kUnauthenticated,
       "UnrecognizedClientException"},
      {Refusal(403, "SignatureDoesNotMatch", "bad"), absl::StatusCode::kUnauthenticated, "SignatureDoesNotMatch"},
      {{.code = 403, .headers = {{"x-amzn-errortype", "Forbidden:x"}}},
       absl::StatusCode::kPermissionDenied,
       "Forbidden"},
      {{.code = 404, .body = "<html>no</html>"}, absl::StatusCode::kNotFound, "Http404"},
      {{.code = 501, .body = "{"}, absl::StatusCode::kUnavailable, "Http501"},
      {{.code = 301}, absl::StatusCode::kInvalidArgument, "Http301"},
  };
  for (const Case& one : cases) {
    ScriptedServer server(InTurn({one.reply}));
    const absl::Status status = Call(server, kDescribe).status();
    EXPECT_EQ(status.code(), one.status) << status;
    const std::optional<AwsError> error = AwsErrorOf(status);
    ASSERT_TRUE(error.has_value()) << status;
    EXPECT_EQ(error->code, one.code);
    EXPECT_EQ(error->http_status, one.reply.code);
    EXPECT_FALSE(error->throttled);
    EXPECT_THAT(server.received(), SizeIs(1)) << one.code;
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr(kDescribe), HasSubstr(one.code)));
  }
}

TEST_F(JsonClientTest, GivesMessageAndRequest) {
  ScriptedServer server(InTurn({Refusal(400, "ResourceLimitExceeded", "The account-level limit is 0")}));
  const absl::Status status = Call(server, kCreate).status();
  EXPECT_EQ(
      status.message(),
      "SageMaker.CreateTrainingJob: ResourceLimitExceeded: The account-level limit is 0 (HTTP 400, request request-1)");
  EXPECT_TRUE(AwsErrorOf(status)->retryable);
  EXPECT_EQ(AwsErrorOf(status)->request_id, "request-1");
}

TEST_F(JsonClientTest, RepeatsReadsAfterErrorsOfTheServiceAndLostAnswers) {
  ScriptedServer server(
      InTurn({{.hang_up = true}, Refusal(500, "InternalFailure", "sorry"), {.body = "half", .cut = 2}}));
  EXPECT_TRUE(Call(server, kDescribe).ok());
  EXPECT_THAT(server.received(), SizeIs(4));
  EXPECT_THAT(clock.waits(), SizeIs(3));
}

TEST_F(JsonClientTest, WaitsBetweenAttemptsAreRandomAndGrow) {
  ScriptedServer server([](const ReceivedRequest&) { return Refusal(503, "ServiceUnavailable", "later"); });
  JsonClient client(Options(server.url()), services());
  for (int call = 0; call < 50; ++call) EXPECT_TRUE(absl::IsUnavailable(client.Call(kDescribe, "{}").status()));
  const std::vector<absl::Duration> waits = clock.waits();
  ASSERT_THAT(waits, SizeIs(150));
  std::vector<absl::Duration> longest(3);
  absl::Duration shortest = absl::InfiniteDuration();
  for (size_t i = 0; i < waits.size(); ++i) {
    longest[i % 3] = std::max(longest[i % 3], waits[i]);
    shortest = std::min(shortest, waits[i]);
  }
  EXPECT_THAT(longest[0], AllOf(Ge(absl::Milliseconds(150)), Le(absl::Milliseconds(200))));
  EXPECT_THAT(longest[1], AllOf(Ge(absl::Milliseconds(300)), Le(absl::Milliseconds(400))));
  EXPECT_THAT(longest[2], AllOf(Ge(absl::Milliseconds(600)), Le(absl::Milliseconds(800))));
  EXPECT_LT(shortest, absl::Milliseconds(50));
}

TEST_F(JsonClientTest, DoesNotRepeatACreateThatMayHaveBeenCarriedOut) {
  for (const ScriptedReply& reply : {Refusal(500, "InternalFailure", "sorry"), ScriptedReply{.hang_up = true}}) {
    ScriptedServer server(InTurn({reply}));
    const absl::Status status = Call(server, kCreate).status();
    EXPECT_TRUE(absl::IsUnavailable(status)) << status;
    EXPECT_TRUE(AwsErrorOf(status)->retryable);
    EXPECT_EQ(AwsErrorOf(status)->http_status, reply.hang_up ? 0 : 500);
    EXPECT_THAT(server.received(), SizeIs(1));
  }
}

TEST_F(JsonClientTest, DoesNotRepeatACreateOnAConnectionThatWasUsedBefore) {
  ScriptedServer server(InTurn({{.body = "{}"}, {.hang_up = true}}));
  JsonClient client(Options(server.url()), services());
  ASSERT_TRUE(client.Call(kDescribe, "{}").ok());
  EXPECT_TRUE(absl::IsUnavailable(client.Call(kCreate, "{}").status()));
  EXPECT_THAT(server.received(), SizeIs(2));
}

TEST_F(JsonClientTest, RepeatsWhatWasThrottledAndSlowsDown) {
  const ScriptedReply throttled = Refusal(400, "ThrottlingException", "Rate exceeded");
  ScriptedServer server(InTurn({throttled, throttled}));
  JsonClient client(Options(server.url()), services());
  EXPECT_EQ(client.ThrottleDelay(), absl::ZeroDuration());
  EXPECT_TRUE(client.Call(kCreate, "{}").ok());
  EXPECT_THAT(server.received(), SizeIs(3));
  EXPECT_GT(client.ThrottleDelay(), absl::ZeroDuration());
}

TEST_F(JsonClientTest, WaitsAsLongAsTheServiceAsksFor) {
  ScriptedReply throttled = Refusal(429, "TooManyRequestsException", "wait");
  throttled.headers["Retry-After"] = "7";
  ScriptedServer server(InTurn({throttled}));
  EXPECT_TRUE(Call(server, kCreate).ok());
  EXPECT_THAT(clock.waits(), ElementsAre(absl::Seconds(7)));
}

TEST_F(JsonClientTest, TellsHowLongAThrottledCallerHasToWait) {
  ScriptedServer server([](const ReceivedRequest&) {
    ScriptedReply reply = Refusal(400, "ThrottlingException", "Rate exceeded");
    reply.headers["Retry-After"] = "7";
    return reply;
  });
  JsonClient client(Options(server.url()), services());
  const absl::Status status = client.Call(kCreate, "{}", {.most_wait = absl::ZeroDuration()}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  ASSERT_TRUE(AwsErrorOf(status).has_value());
  EXPECT_TRUE(AwsErrorOf(status)->throttled);
  EXPECT_EQ(AwsErrorOf(status)->retry_after, absl::Seconds(7));
  EXPECT_THAT(clock.waits(), SizeIs(0));

  // Now the limit of the rate holds it back, and it is not even sent.
  const std::optional<AwsError> held =
      AwsErrorOf(client.Call(kCreate, "{}", {.most_wait = absl::ZeroDuration()}).status());
  ASSERT_TRUE(held.has_value());
  EXPECT_TRUE(held->throttled);
  EXPECT_EQ(held->retry_after, client.ThrottleDelay());
  EXPECT_THAT(server.received(), SizeIs(1));
  clock.Advance(held->retry_after);
  EXPECT_EQ(client.ThrottleDelay(), absl::ZeroDuration());
}

TEST_F(JsonClientTest, AStopEndsTheWaitBetweenAttempts) {
  ScriptedServer server([](const ReceivedRequest&) { return Refusal(503, "ServiceUnavailable", "later"); });
  core::ManualClock standing(testing::TestTime());
  JsonClient client(Options(server.url()), {http, *credentials, standing});
  StopSignal stop;
  absl::Status status;
  std::thread caller([&] { status = client.Call(kDescribe, "{}", {.stop = &stop}).status(); });
  server.AwaitReceived(1);
  stop.Raise();
  caller.join();
  EXPECT_TRUE(absl::IsCancelled(status)) << status;
  EXPECT_TRUE(absl::IsCancelled(client.Call(kDescribe, "{}", {.stop = &stop}).status()));
}

// A service whose clock is an hour ahead.
class AheadService {
 public:
  explicit AheadService(const std::string& code) : code_(code) {}
  ScriptedReply operator()(const ReceivedRequest& request) const {
    const absl::Time now = testing::TestTime() + absl::Hours(1);
    ScriptedReply reply = {.body = "{}"};
    const std::string expected = absl::FormatTime("%Y%m%dT%H", now, absl::UTCTimeZone());
    if (request.header("x-amz-date").substr(0, 11) != expected) reply = Refusal(403, code_, "Signature expired");
    reply.headers["Date"] = HttpDate(now);
    return reply;
  }

 private:
  std::string code_;
};

TEST_F(JsonClientTest, TakesOverTheClockOfTheService) {
  for (const char* code :
       {"RequestExpired", "SignatureDoesNotMatch", "InvalidSignatureException", "RequestTimeTooSkewed"}) {
    ScriptedServer server{AheadService(code)};
    JsonClient client(Options(server.url()), services());
    EXPECT_TRUE(client.Call(kCreate, "{}").ok()) << code;
    EXPECT_THAT(server.received(), SizeIs(2));
    EXPECT_TRUE(client.Call(kCreate, "{}").ok());
    EXPECT_THAT(server.received(), SizeIs(3)) << "the difference is kept";
  }
}

TEST_F(JsonClientTest, DoesNotBlameTheClockForAWrongSecret) {
  ScriptedServer server([](const ReceivedRequest&) {
    ScriptedReply reply = Refusal(403, "SignatureDoesNotMatch", "wrong");
    reply.headers["Date"] = HttpDate(testing::TestTime() + absl::Seconds(20));
    return reply;
  });
  EXPECT_EQ(Call(server, kDescribe).status().code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(server.received(), SizeIs(1));
}

TEST_F(JsonClientTest, TriesTheClockOnlyOnce) {
  ScriptedServer server([calls = 0](const ReceivedRequest&) mutable {
    ScriptedReply reply = Refusal(400, "RequestExpired", "never right");
    reply.headers["Date"] = HttpDate(testing::TestTime() + absl::Hours(++calls));
    return reply;
  });
  EXPECT_EQ(Call(server, kDescribe).status().code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(server.received(), SizeIs(2));
}

// Gives keys 1, then, once those were refused, keys 2.
class TwoKeys : public CredentialsProvider {
 public:
  absl::StatusOr<Credentials> Get(StopSignal*) override {
    return Credentials{absl::StrCat("AKID", number_.load()), "s", "t"};
  }
  void Refuse(absl::string_view access_key_id) override {
    if (access_key_id == "AKID1") number_ = 2;
  }

 private:
  std::atomic<int> number_{1};
};

TEST_F(JsonClientTest, AsksForOtherKeysWhenTheyHaveExpired) {
  ScriptedServer server([](const ReceivedRequest& request) {
    if (request.header("authorization").find("AKID2") != std::string::npos) return ScriptedReply{.body = "{}"};
    return Refusal(400, "ExpiredTokenException", "The security token included in the request is expired");
  });
  TwoKeys keys;
  EXPECT_TRUE(JsonClient(Options(server.url()), {http, keys, clock}).Call(kCreate, "{}").ok());
  EXPECT_THAT(server.received(), SizeIs(2));
}

TEST_F(JsonClientTest, WrongOptionsAreNamed) {
  ServiceOptions options = Options("http://127.0.0.1:1");
  options.region = "";
  EXPECT_THAT(std::string(JsonClient(options, services()).Call(kDescribe, "{}").status().message()),
              HasSubstr("AWS_REGION"));
  options.region = "evil.example/";
  EXPECT_THAT(std::string(JsonClient(options, services()).Call(kDescribe, "{}").status().message()),
              HasSubstr("region: "));
  options = Options("127.0.0.1:1");
  EXPECT_THAT(std::string(JsonClient(options, services()).Call(kDescribe, "{}").status().message()),
              HasSubstr("endpoint: "));
}

TEST_F(JsonClientTest, WhoDoesNotAnswerIsUnavailable) {
  const absl::Status status = JsonClient(Options("http://127.0.0.1:1"), services()).Call(kCreate, "{}").status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_EQ(AwsErrorOf(status)->http_status, 0);
  EXPECT_THAT(std::string(status.message()), HasSubstr("127.0.0.1:1"));
}

TEST_F(JsonClientTest, ManyThreadsShareAClient) {
  ScriptedServer server(InTurn({}));
  JsonClient client(Options(server.url()), services());
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int call = 0; call < 20; ++call) good += client.Call(kDescribe, "{}").ok();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 160);
}

// Services say back what they were sent, in signature errors above all.
TEST_F(JsonClientTest, NoMessageHoldsASecret) {
  const std::vector<std::string> codes = {"SignatureDoesNotMatch", "InvalidSignatureException", "ValidationException",
                                          "AccessDeniedException", "InternalFailure",           "ThrottlingException"};
  for (const std::string& code : codes) {
    ScriptedServer server([&](const ReceivedRequest& request) {
      std::string echo = absl::StrCat("what you sent: ", testing::kSecret, " ", testing::kToken,
                                      "\\nx-amz-security-token:", request.header("x-amz-security-token"), "\\n");
      return Refusal(code == "InternalFailure" ? 500 : 400, code, echo);
    });
    const absl::Status status = Call(server, kDescribe).status();
    ASSERT_FALSE(status.ok());
    EXPECT_THAT(status.ToString(),
                AllOf(HasSubstr("what you sent"), Not(HasSubstr(testing::kSecret)), Not(HasSubstr(testing::kToken))));
    EXPECT_THAT(AwsErrorOf(status)->message, Not(HasSubstr(testing::kToken)));
  }
}

}  // namespace
}  // namespace tuner::executors::aws

#include "executors/aws/logs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/aws/aws_fixture.h"
#include "tests/aws/scripted_server.h"

namespace tuner::executors::aws {
namespace {

using nlohmann::json;
using ::testing::IsEmpty;
using testing::ReceivedRequest;
using testing::ScriptedReply;
using testing::ScriptedServer;
using ::testing::SizeIs;

struct LogsTest : ::testing::Test, testing::AwsFixture {};

TEST_F(LogsTest, ListsTheStreamsOfAllPages) {
  ScriptedServer server([](const ReceivedRequest& request) {
    const json asked = json::parse(request.body);
    EXPECT_EQ(request.header("x-amz-target"), "Logs_20140328.DescribeLogStreams");
    EXPECT_EQ(asked["logGroupName"], "/aws/sagemaker/TrainingJobs");
    EXPECT_EQ(asked["logStreamNamePrefix"], "job/");
    if (!asked.contains("nextToken")) {
      return ScriptedReply{
          .body = R"({"logStreams": [{"logStreamName": "job/algo-1", "lastEventTimestamp": 5}], "nextToken": "n"})"};
    }
    EXPECT_EQ(asked["nextToken"], "n");
    return ScriptedReply{.body = R"({"logStreams": [{"logStreamName": "job/algo-2"}, 7, {"logStreamName": 8}]})"};
  });
  LogsClient client(Options(server.url()), services());
  const auto streams = client.DescribeLogStreams("/aws/sagemaker/TrainingJobs", "job/");
  ASSERT_TRUE(streams.ok()) << streams.status();
  ASSERT_THAT(*streams, SizeIs(3));
  EXPECT_EQ((*streams)[0].name, "job/algo-1");
  EXPECT_EQ((*streams)[0].last_event, absl::FromUnixMillis(5));
  EXPECT_EQ((*streams)[1].name, "job/algo-2");
  EXPECT_EQ((*streams)[1].last_event, absl::InfinitePast());
  EXPECT_NE(server.received()[0].header("authorization").find("/logs/aws4_request"), std::string::npos);
}

TEST_F(LogsTest, ReadsAStreamToItsEndAndOn) {
  int line = 0;
  ScriptedServer server([&](const ReceivedRequest& request) {
    const json asked = json::parse(request.body);
    EXPECT_EQ(asked["startFromHead"], true);
    const std::string token = asked.value("nextToken", "");
    // Page 0, an empty one, page 2; then the end, until there is a third line.
    if (token.empty())
      return ScriptedReply{.body = R"({"events": [{"timestamp": 1000, "message": "a"}], "nextForwardToken": "f/1"})"};
    if (token == "f/1") return ScriptedReply{.body = R"({"events": [], "nextForwardToken": "f/2"})"};
    if (token == "f/2" && line == 1)
      return ScriptedReply{.body = R"({"events": [{"timestamp": 2000, "message": "b"}], "nextForwardToken": "f/3"})"};
    return ScriptedReply{.body = json{{"events", json::array()}, {"nextForwardToken", token}}.dump()};
  });
  LogsClient client(Options(server.url()), services());
  const auto page = [&](const std::string& token) { return client.GetLogEvents("g", "s", token).value(); };
  LogPage now = page("");
  ASSERT_THAT(now.events, SizeIs(1));
  EXPECT_EQ(now.events[0].message, "a");
  EXPECT_EQ(now.events[0].time, absl::FromUnixSeconds(1));
  EXPECT_FALSE(now.at_end);
  now = page(now.next_token);
  EXPECT_THAT(now.events, IsEmpty());
  EXPECT_FALSE(now.at_end);
  now = page(now.next_token);
  EXPECT_TRUE(now.at_end);
  EXPECT_EQ(now.next_token, "f/2");
  line = 1;
  now = page(now.next_token);
  ASSERT_THAT(now.events, SizeIs(1));
  EXPECT_EQ(now.events[0].message, "b");
  EXPECT_FALSE(now.at_end);
  EXPECT_TRUE(page(now.next_token).at_end);
}

TEST_F(LogsTest, WhatIsNotThereYetIsNotFound) {
  ScriptedServer server([](const ReceivedRequest&) {
    return ScriptedReply{
        .code = 400,
        .body = R"({"__type":"ResourceNotFoundException","message":"The specified log stream does not exist."})"};
  });
  LogsClient client(Options(server.url()), services());
  EXPECT_TRUE(absl::IsNotFound(client.GetLogEvents("g", "s", "").status()));
  EXPECT_TRUE(absl::IsNotFound(client.DescribeLogStreams("g", "s").status()));
}

TEST_F(LogsTest, GarbageIsUnavailable) {
  ScriptedServer server([](const ReceivedRequest&) { return ScriptedReply{.body = "[]"}; });
  LogsClient client(Options(server.url()), services());
  EXPECT_TRUE(absl::IsUnavailable(client.GetLogEvents("g", "s", "").status()));
}

}  // namespace
}  // namespace tuner::executors::aws

// The two streams: a watch that can be rejoined anywhere, and the output of trials.
#include <fstream>
#include <map>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/test_server.h"
#include "tuner/server/tokens.h"

namespace tuner::server {
namespace {

using grpc::StatusCode;
using testing::HasSubstr;

class Watcher {
 public:
  Watcher(TestServer::Stub& stub, const std::string& job_name, int64_t after) : context_(Context()) {
    v1::WatchTuningJobRequest request;
    request.set_name(job_name);
    request.set_after_revision(after);
    reader_ = stub.WatchTuningJob(context_.get(), request);
  }
  bool Read(v1::WatchTuningJobResponse* message) { return reader_->Read(message); }
  grpc::Status Finish() { return reader_->Finish(); }
  grpc::ClientContext& context() { return *context_; }

 private:
  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientReader<v1::WatchTuningJobResponse>> reader_;
};

// What a client knows of a job from the messages that it got.
struct Known {
  int64_t revision = 0;
  v1::TuningJob job;
  std::map<int, v1::Trial> trials;
  std::map<std::pair<int, int64_t>, double> measurements;

  void Apply(const v1::WatchTuningJobResponse& message) {
    EXPECT_GE(message.revision(), revision);
    revision = message.revision();
    if (message.has_job()) job = message.job();
    for (const v1::Trial& trial : message.trials()) trials[trial.number()] = trial;
    for (const auto& each : message.measurements()) {
      measurements[{each.trial(), each.measurement().step()}] = each.measurement().value();
    }
  }
  std::map<int, std::string> States() const {
    std::map<int, std::string> states;
    for (const auto& [number, trial] : trials) states[number] = v1::Trial::State_Name(trial.state());
    return states;
  }
};

class WatchTest : public testing::Test {
 protected:
  void RunTrial(double objective) {
    const v1::SuggestTrialsResponse held = Suggest(stub(), job_, "w");
    ASSERT_EQ(held.trials_size(), 1) << held.reason();
    v1::ReportMeasurementsRequest report;
    report.set_name(held.trials(0).name());
    report.set_attempt(1);
    v1::Measurement& measurement = *report.add_measurements();
    measurement.set_metric("loss");
    measurement.set_step(1);
    measurement.set_value(objective + 1);
    v1::ReportMeasurementsResponse reported;
    ASSERT_TRUE(stub().ReportMeasurements(Context().get(), report, &reported).ok());
    ASSERT_TRUE(Complete(stub(), held.trials(0), objective).ok());
  }
  TestServer::Stub& stub() { return server_.stub(); }

  TestServer server_;
  const std::string job_ = "tuningJobs/job";
};

TEST_F(WatchTest, SnapshotThenChangesThenTheEnd) {
  Create(stub(), AskTellSpec("job", 3));
  RunTrial(2);
  Watcher watcher(stub(), job_, 0);
  v1::WatchTuningJobResponse message;
  ASSERT_TRUE(watcher.Read(&message));
  EXPECT_TRUE(message.has_job());
  EXPECT_EQ(message.trials_size(), 1);
  Known known;
  known.Apply(message);
  RunTrial(1);
  RunTrial(3);
  while (watcher.Read(&message)) known.Apply(message);
  EXPECT_TRUE(watcher.Finish().ok());
  EXPECT_EQ(known.job.state(), v1::TuningJob::COMPLETED);
  EXPECT_EQ(known.job.best_trial().objective(), 1);
  EXPECT_EQ(known.trials.size(), 3u);
  for (const auto& [number, trial] : known.trials) EXPECT_EQ(trial.state(), v1::Trial::COMPLETED) << number;
  EXPECT_EQ((known.measurements[{2, 1}]), 2);
  EXPECT_EQ((known.measurements[{3, 1}]), 4);
}

TEST_F(WatchTest, CanBeRejoinedAfterEveryRevision) {
  Create(stub(), AskTellSpec("job", 4));
  for (int i = 0; i < 4; ++i) RunTrial(i);
  Known whole;
  v1::WatchTuningJobResponse message;
  {
    Watcher watcher(stub(), job_, 0);
    while (watcher.Read(&message)) whole.Apply(message);
    ASSERT_TRUE(watcher.Finish().ok());
  }
  ASSERT_GT(whole.revision, 4);
  for (int64_t revision = 1; revision <= whole.revision; ++revision) {
    Known rest;
    rest.revision = revision;
    Watcher watcher(stub(), job_, revision);
    while (watcher.Read(&message)) rest.Apply(message);
    EXPECT_TRUE(watcher.Finish().ok()) << revision;
    EXPECT_EQ(rest.revision, whole.revision) << revision;
    if (revision == 1) {
      EXPECT_EQ(rest.States(), whole.States());
      EXPECT_EQ(rest.measurements.size(), 4u);
    }
    if (revision < whole.revision) {
      EXPECT_EQ(rest.job.state(), v1::TuningJob::COMPLETED) << revision;
    }
  }
}

TEST_F(WatchTest, RefusesWhatIsNotThere) {
  Create(stub(), AskTellSpec("job"));
  const auto code = [this](const std::string& name, int64_t after) {
    Watcher watcher(stub(), name, after);
    v1::WatchTuningJobResponse message;
    EXPECT_FALSE(watcher.Read(&message));
    return watcher.Finish().error_code();
  };
  EXPECT_EQ(code("job", 0), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(code(job_, -1), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(code("tuningJobs/none", 0), StatusCode::NOT_FOUND);
  EXPECT_EQ(code(job_, 1000), StatusCode::OUT_OF_RANGE);
}

TEST_F(WatchTest, AClientThatReadsNothingHoldsUpNobody) {
  Create(stub(), AskTellSpec("job", 200));
  Watcher asleep(stub(), job_, 0);
  Watcher awake(stub(), job_, 0);
  for (int i = 0; i < 200; ++i) RunTrial(200 - i);
  v1::WatchTuningJobResponse message;
  Known quick, slow;
  while (awake.Read(&message)) quick.Apply(message);
  EXPECT_TRUE(awake.Finish().ok());
  EXPECT_EQ(quick.trials.size(), 200u);
  while (asleep.Read(&message)) slow.Apply(message);
  EXPECT_TRUE(asleep.Finish().ok());
  EXPECT_EQ(slow.States(), quick.States());
}

TEST_F(WatchTest, ALargeSnapshotComesInParts) {
  Create(stub(), AskTellSpec("job", 250));
  for (int i = 0; i < 249; ++i) {
    ASSERT_TRUE(Complete(stub(), Suggest(stub(), job_, "w").trials(0), i).ok());
  }
  Watcher watcher(stub(), job_, 0);
  v1::WatchTuningJobResponse message;
  Known known;
  while (known.revision == 0 && watcher.Read(&message)) known.Apply(message);
  EXPECT_EQ(known.trials.size(), 249u);
  EXPECT_TRUE(known.job.has_spec());
  watcher.context().TryCancel();
  EXPECT_EQ(watcher.Finish().error_code(), StatusCode::CANCELLED);
}

TEST_F(WatchTest, ManyComeAndGoWhileTheJobRuns) {
  Create(stub(), AskTellSpec("job", 60));
  std::vector<std::thread> clients;
  for (int client = 0; client < 8; ++client) {
    clients.emplace_back([this, client] {
      for (int round = 0; round < 10; ++round) {
        Watcher watcher(stub(), job_, 0);
        v1::WatchTuningJobResponse message;
        for (int i = 0; i <= (client + round) % 4; ++i) {
          if (!watcher.Read(&message)) break;
        }
        watcher.context().TryCancel();
        watcher.Finish();
      }
    });
  }
  for (int i = 0; i < 60; ++i) RunTrial(60 - i);
  for (std::thread& client : clients) client.join();
  Watcher watcher(stub(), job_, 0);
  v1::WatchTuningJobResponse message;
  Known known;
  while (watcher.Read(&message)) known.Apply(message);
  EXPECT_TRUE(watcher.Finish().ok());
  EXPECT_EQ(known.trials.size(), 60u);
}

TEST_F(WatchTest, EndsWhenTheServerDoes) {
  Create(stub(), AskTellSpec("job"));
  Watcher watcher(stub(), job_, 0);
  v1::WatchTuningJobResponse message;
  ASSERT_TRUE(watcher.Read(&message));
  std::thread shutdown([this] { server_.server().Shutdown(); });
  while (watcher.Read(&message)) {
  }
  EXPECT_EQ(watcher.Finish().error_code(), StatusCode::UNAVAILABLE);
  shutdown.join();
}

class LogsTest : public testing::Test {
 protected:
  static ServerConfig Config() {
    ServerConfig config;
    config.listen = {"127.0.0.1:0"};
    config.supervisor_path = TUNER_SUPERVISOR;
    return config;
  }
  // Runs a shell script as the one trial of a job.
  void Run(const std::string& script) {
    v1::TuningJobSpec spec = AskTellSpec("job", 1, 1);
    for (const std::string& word : {std::string("sh"), std::string("-c"), script}) {
      spec.mutable_trial()->mutable_process()->add_command(word);
    }
    v1::MetricDefinition& metric = *spec.mutable_trial()->add_metrics();
    metric.set_name("loss");
    metric.set_regex("loss=([0-9.]+)");
    Create(stub(), spec);
  }
  void AwaitEnd() {
    Watcher watcher(stub(), "tuningJobs/job", 0);
    v1::WatchTuningJobResponse message;
    while (watcher.Read(&message)) {
    }
    EXPECT_TRUE(watcher.Finish().ok());
  }
  grpc::Status Logs(const v1::StreamTrialLogsRequest& request, std::string* text) {
    const auto context = Context();
    const auto reader = stub().StreamTrialLogs(context.get(), request);
    v1::StreamTrialLogsResponse chunk;
    int64_t next = -1;
    while (reader->Read(&chunk)) {
      if (next >= 0) {
        EXPECT_EQ(chunk.offset(), next);
      }
      next = chunk.offset() + static_cast<int64_t>(chunk.data().size());
      *text += chunk.data();
    }
    return reader->Finish();
  }
  v1::StreamTrialLogsRequest Request() {
    v1::StreamTrialLogsRequest request;
    request.set_name("tuningJobs/job/trials/1");
    return request;
  }
  TestServer::Stub& stub() { return server_.stub(); }

  TestServer server_{Config()};
};

TEST_F(LogsTest, AllOfItAndParts) {
  Run("echo one; echo loss=2; echo bad >&2");
  AwaitEnd();
  const auto logs = [this](auto change) {
    v1::StreamTrialLogsRequest request = Request();
    change(request);
    std::string text;
    const grpc::Status status = Logs(request, &text);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return text;
  };
  EXPECT_EQ(logs([](auto&) {}), "one\nloss=2\n");
  EXPECT_EQ(logs([](auto& r) { r.set_offset(4); }), "loss=2\n");
  EXPECT_EQ(logs([](auto& r) { r.set_offset(-7); }), "loss=2\n");
  EXPECT_EQ(logs([](auto& r) { r.set_offset(-700); }), "one\nloss=2\n");
  EXPECT_EQ(logs([](auto& r) { r.set_offset(11); }), "");
  EXPECT_EQ(logs([](auto& r) { r.set_attempt(1); }), "one\nloss=2\n");
  EXPECT_EQ(logs([](auto& r) { r.set_follow(true); }), "one\nloss=2\n");
  EXPECT_EQ(logs([](auto& r) { r.set_stream(v1::StreamTrialLogsRequest::STDERR); }), "bad\n");
  const auto refused = [this](auto change) {
    v1::StreamTrialLogsRequest request = Request();
    change(request);
    std::string text;
    return Logs(request, &text).error_code();
  };
  EXPECT_EQ(refused([](auto& r) { r.set_offset(12); }), StatusCode::OUT_OF_RANGE);
  EXPECT_EQ(refused([](auto& r) { r.set_attempt(2); }), StatusCode::NOT_FOUND);
  EXPECT_EQ(refused([](auto& r) { r.set_attempt(0); }), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(refused([](auto& r) { r.set_name("tuningJobs/job/trials/2"); }), StatusCode::NOT_FOUND);
  EXPECT_EQ(refused([](auto& r) { r.set_name("x"); }), StatusCode::INVALID_ARGUMENT);
}

TEST_F(LogsTest, FollowsUntilTheAttemptHasEnded) {
  const std::string go = server_.data_dir() + "/go";
  Run(absl::StrCat("echo start; while [ ! -e ", go, " ]; do sleep 0.05; done; echo loss=1; echo end"));
  v1::StreamTrialLogsRequest request = Request();
  request.set_follow(true);
  // The trial may not be there yet: ask until it is.
  std::string text;
  grpc::Status status;
  do {
    const auto context = Context();
    const auto reader = stub().StreamTrialLogs(context.get(), request);
    v1::StreamTrialLogsResponse chunk;
    text.clear();
    while (reader->Read(&chunk)) {
      text += chunk.data();
      if (text == "start\n") std::ofstream(go) << "";
    }
    status = reader->Finish();
  } while (status.error_code() == StatusCode::NOT_FOUND);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(text, "start\nloss=1\nend\n");
}

TEST_F(LogsTest, ATrialIsToldHowToCallBack) {
  Run("echo \"$TUNER_TRIAL $TUNER_ATTEMPT $TUNER_ENDPOINT $TUNER_TOKEN\"; echo loss=1");
  AwaitEnd();
  std::string text;
  ASSERT_TRUE(Logs(Request(), &text).ok());
  const std::vector<std::string> words = absl::StrSplit(text.substr(0, text.find('\n')), ' ');
  ASSERT_EQ(words.size(), 4u) << text;
  EXPECT_EQ(words[0], "tuningJobs/job/trials/1");
  EXPECT_EQ(words[1], "1");
  EXPECT_EQ(words[2], server_.server().addresses().at(0));
  const auto over_tcp = v1::TuningService::NewStub(server_.ChannelTo(0));
  v1::GetTrialRequest request;
  request.set_name(words[0]);
  v1::Trial trial;
  EXPECT_TRUE(over_tcp->GetTrial(Context(words[3]).get(), request, &trial).ok());
}

TEST_F(LogsTest, WorkersKeepTheirOwnOutput) {
  Create(stub(), AskTellSpec("job"));
  ASSERT_TRUE(Complete(stub(), Suggest(stub(), "tuningJobs/job", "w").trials(0), 1).ok());
  std::string text;
  EXPECT_EQ(Logs(Request(), &text).error_code(), StatusCode::NOT_FOUND);
}

}  // namespace
}  // namespace tuner::server

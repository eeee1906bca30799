// Jobs from their end to the receiver's door: real storage, engine and HTTP, through restarts and failures.
#include <gmock/gmock.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/notify/receiver.h"
#include "tuner/embed/tuner.h"
#include "tuner/notify/message.h"

namespace tuner::notify {
namespace {

using ::testing::HasSubstr;
using tuner::testing::PostedRequest;
using tuner::testing::Receiver;
namespace fs = std::filesystem;

class NotifiedJobTest : public ::testing::Test {
 protected:
  void SetUp() override {
    setenv("NOTIFY_KEY", "a key", 1);
    std::string name = (fs::temp_directory_path() / "notified-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    Open();
  }
  void TearDown() override {
    tuner_.reset();
    fs::remove_all(folder_);
  }

  void Open() {
    embed::Options options;
    options.data_dir = folder_;
    auto tuner = embed::Tuner::Open(options);
    ASSERT_TRUE(tuner.ok()) << tuner.status();
    tuner_ = *std::move(tuner);
  }

  // A job of one trial for a worker, whose end and failure the receiver hears of.
  static v1::CreateTuningJobRequest Request(const std::string& url) {
    v1::CreateTuningJobRequest request;
    v1::TuningJobSpec& spec = *request.mutable_spec();
    spec.set_name("told");
    spec.mutable_objective()->set_metric("loss");
    spec.mutable_objective()->set_goal(v1::Objective::MINIMIZE);
    v1::Parameter& x = *spec.add_parameters();
    x.set_name("x");
    x.mutable_double_()->set_min(0);
    x.mutable_double_()->set_max(1);
    spec.mutable_strategy()->mutable_random();
    spec.mutable_limits()->set_max_trials(1);
    v1::Notification& notification = *spec.add_notifications();
    notification.mutable_webhook()->set_url(url);
    notification.mutable_webhook()->set_hmac_key_env("NOTIFY_KEY");
    notification.add_events(v1::Notification::JOB_ENDED);
    notification.add_events(v1::Notification::TRIAL_FAILED);
    return request;
  }

  void RunTo(const std::string& url, bool failure) {
    const auto created = tuner_->CreateTuningJob(Request(url));
    ASSERT_TRUE(created.ok()) << created.status();
    v1::SuggestTrialsRequest ask;
    ask.set_parent("tuningJobs/told");
    ask.set_worker_id("worker");
    ask.mutable_deadline()->set_seconds(10);
    const auto trials = tuner_->SuggestTrials(ask);
    ASSERT_TRUE(trials.ok() && trials->trials_size() == 1) << trials.status();
    v1::CompleteTrialRequest complete;
    complete.set_name(trials->trials(0).name());
    complete.set_attempt(1);
    if (failure) {
      complete.set_failure_reason("out of memory");
    } else {
      (*complete.mutable_final_metrics())["loss"] = 0.5;
    }
    const auto done = tuner_->CompleteTrial(complete);
    ASSERT_TRUE(done.ok()) << done.status();
  }

  // Waits until the job's summary is as asked for; its last state.
  template <typename Condition>
  v1::NotificationSummary AwaitSummary(const Condition& condition) {
    v1::GetTuningJobRequest request;
    request.set_name("tuningJobs/told");
    const absl::Time deadline = absl::Now() + absl::Minutes(1);
    for (;;) {
      const auto job = tuner_->GetTuningJob(request);
      EXPECT_TRUE(job.ok()) << job.status();
      if (condition(job->notifications()) || absl::Now() > deadline) return job->notifications();
      std::this_thread::yield();
    }
  }

  std::string folder_;
  std::unique_ptr<embed::Tuner> tuner_;
};

TEST_F(NotifiedJobTest, IsToldAgainUntilItIsTaken) {
  Receiver receiver([](int n) { return n <= 2 ? 500 : 200; });
  RunTo(receiver.url(), /*failure=*/false);
  const std::vector<PostedRequest> requests = receiver.Await(3);
  for (const PostedRequest& request : requests) {
    EXPECT_EQ(request.headers.at("x-tuner-signature"), "sha256=" + Signature("a key", request.body));
    EXPECT_EQ(request.headers.at("x-tuner-delivery"), requests[0].headers.at("x-tuner-delivery"));
    EXPECT_EQ(request.body, requests[0].body);
  }
  EXPECT_THAT(requests[0].body, HasSubstr("all 1 trials have ended"));
  EXPECT_THAT(requests[0].body, HasSubstr("tuningJobs/told/trials/1"));  // the best one
  const auto summary = AwaitSummary([](const auto& now) { return now.delivered() == 1; });
  EXPECT_EQ(summary.due(), 0);
  EXPECT_EQ(summary.last_failure(), "");
}

TEST_F(NotifiedJobTest, IsToldOfTheFailureAndTheEnd) {
  Receiver receiver([](int) { return 200; });
  RunTo(receiver.url(), /*failure=*/true);
  const std::vector<PostedRequest> requests = receiver.Await(2);
  EXPECT_EQ(requests[0].headers.at("x-tuner-event"), "TRIAL_FAILED");
  EXPECT_THAT(requests[0].body, HasSubstr("out of memory"));
  EXPECT_EQ(requests[1].headers.at("x-tuner-event"), "JOB_ENDED");
  EXPECT_THAT(requests[1].body, HasSubstr("FAILED"));
}

TEST_F(NotifiedJobTest, IsToldByTheNextServerWhenTheReceiverWasAway) {
  int port = 0;
  {
    const Receiver once([](int) { return 200; });
    port = once.port();
  }
  RunTo(absl::StrCat("http://127.0.0.1:", port, "/hook"), /*failure=*/false);
  const auto broken = AwaitSummary([](const auto& now) { return !now.last_failure().empty(); });
  EXPECT_EQ(broken.due(), 1);
  EXPECT_THAT(broken.last_failure(), HasSubstr("notifications[0]: the webhook: "));
  tuner_.reset();
  Receiver receiver([](int) { return 200; }, port);
  Open();
  EXPECT_EQ(receiver.Await(1)[0].headers.at("x-tuner-event"), "JOB_ENDED");
  const auto summary = AwaitSummary([](const auto& now) { return now.due() == 0; });
  EXPECT_EQ(summary.delivered(), 1);
}

TEST_F(NotifiedJobTest, IsNotCreatedWithoutTheKey) {
  v1::CreateTuningJobRequest request = Request("http://127.0.0.1:1/");
  request.mutable_spec()->mutable_notifications(0)->mutable_webhook()->set_hmac_key_env("NO_SUCH_KEY_HERE");
  const auto created = tuner_->CreateTuningJob(request);
  EXPECT_TRUE(absl::IsInvalidArgument(created.status())) << created.status();
  EXPECT_THAT(created.status().message(), HasSubstr("notifications[0].webhook.hmac_key_env"));
}

}  // namespace
}  // namespace tuner::notify

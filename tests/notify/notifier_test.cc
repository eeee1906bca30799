#include "tuner/notify/notifier.h"

#include <gmock/gmock.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "tests/notify/receiver.h"
#include "tuner/notify/message.h"

namespace tuner::notify {
namespace {

using ::testing::HasSubstr;
using tuner::testing::PostedRequest;
using tuner::testing::Receiver;

engine::Delivery DeliveryTo(const std::string& url, const std::string& key = "") {
  engine::Delivery delivery;
  delivery.notification.number = 7;
  delivery.notification.event = core::NotificationEvent::kTrialFailed;
  delivery.notification.trial = 3;
  delivery.notification.text = "exit code 1";
  delivery.notification.job_status = core::JobStatus::kRunning;
  delivery.notification.time = absl::FromUnixSeconds(1'700'000'000);
  delivery.rule.target = core::Webhook{url, key};
  delivery.job_id = "forest";
  delivery.job_uid = "u1";
  return delivery;
}

// Delivers and waits for what became of it.
absl::Status Try(engine::Notifier& notifier, engine::Delivery delivery) {
  absl::Notification done;
  absl::Status status;
  notifier.Deliver(std::move(delivery), [&](absl::Status result) {
    status = std::move(result);
    done.Notify();
  });
  done.WaitForNotification();
  return status;
}

TEST(MessageTest, SignsAsRfc4231Says) {
  EXPECT_EQ(Signature("Jefe", "what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(NotifierTest, PostsTheMessageAndItsSignature) {
  Receiver receiver([](int) { return 204; });
  const auto notifier = MakeNotifier([](const std::string& name) { return "value of " + name; });
  const absl::Status status = Try(*notifier, DeliveryTo(receiver.url(), "HOOK_KEY"));
  ASSERT_TRUE(status.ok()) << status;
  const PostedRequest request = receiver.Await(1)[0];
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.path, "/hook");
  EXPECT_EQ(request.headers.at("content-type"), "application/json");
  EXPECT_EQ(request.headers.at("x-tuner-event"), "TRIAL_FAILED");
  EXPECT_EQ(request.headers.at("x-tuner-delivery"), "u1-7");
  EXPECT_EQ(request.headers.at("x-tuner-signature"), "sha256=" + Signature("value of HOOK_KEY", request.body));
  for (const char* part : {"\"id\":", "u1-7", "TRIAL_FAILED", "tuningJobs/forest/trials/3", "exit code 1", "RUNNING"}) {
    EXPECT_THAT(request.body, HasSubstr(part));
  }
}

TEST(NotifierTest, SaysWhyItWasNotTaken) {
  Receiver receiver([](int n) { return n == 1 ? 500 : 302; });
  const auto notifier = MakeNotifier([](const std::string&) { return std::nullopt; });
  EXPECT_THAT(Try(*notifier, DeliveryTo(receiver.url())).message(), HasSubstr("answered HTTP 500"));
  EXPECT_THAT(Try(*notifier, DeliveryTo(receiver.url())).message(), HasSubstr("redirects are not followed"));
  const absl::Status keyless = Try(*notifier, DeliveryTo(receiver.url(), "HOOK_KEY"));
  EXPECT_THAT(keyless.message(), HasSubstr("the server's environment has no HOOK_KEY"));
  EXPECT_EQ(receiver.Await(2).size(), 2u);  // nothing unsigned was sent
  const absl::Status file = Try(*notifier, DeliveryTo("file:///etc/passwd"));
  EXPECT_FALSE(file.ok());
}

TEST(NotifierTest, OneSlowReceiverDelaysNobodyElse) {
  absl::Notification go_on;
  Receiver slow([&](int) {
    go_on.WaitForNotification();
    return 200;
  });
  Receiver quick([](int) { return 200; });
  const auto notifier = MakeNotifier();
  absl::Notification first, second;
  notifier->Deliver(DeliveryTo(slow.url()), [&](const absl::Status&) { first.Notify(); });
  notifier->Deliver(DeliveryTo(slow.url()), [&](const absl::Status&) { second.Notify(); });
  slow.Await(1);
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(Try(*notifier, DeliveryTo(quick.url())).ok());
  EXPECT_FALSE(first.HasBeenNotified());
  EXPECT_EQ(slow.Await(1).size(), 1u);  // its next one waits
  go_on.Notify();
  first.WaitForNotification();
  second.WaitForNotification();
}

TEST(NotifierTest, ShutdownEndsWhatIsUnderWay) {
  absl::Notification go_on;
  Receiver slow([&](int) {
    go_on.WaitForNotification();
    return 200;
  });
  auto notifier = MakeNotifier();
  bool told = false;
  notifier->Deliver(DeliveryTo(slow.url()), [&](const absl::Status&) { told = true; });
  slow.Await(1);
  engine::Delivery command = DeliveryTo("");
  command.rule.target = core::NotificationCommand{{"sleep", "1000"}};
  notifier->Deliver(command, [&](const absl::Status&) { told = true; });
  notifier->Shutdown();
  EXPECT_FALSE(told);
  notifier.reset();
  go_on.Notify();
}

}  // namespace
}  // namespace tuner::notify

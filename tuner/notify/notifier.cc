#include "tuner/notify/notifier.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <deque>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "executors/unique_fd.h"
#include "tuner/notify/command.h"
#include "tuner/notify/message.h"
#include "tuner/notify/webhook.h"

namespace tuner::notify {
namespace {

using Variable = std::function<std::optional<std::string>(const std::string&)>;

struct Task {
  engine::Delivery delivery;
  std::function<void(absl::Status)> done;
};

// Deliveries to the same address wait for each other, and so do those of one command.
std::string ReceiverOf(const engine::Delivery& delivery) {
  if (const auto* webhook = std::get_if<core::Webhook>(&delivery.rule.target)) return "webhook " + webhook->url;
  return absl::StrCat("command ", delivery.job_uid, " ", delivery.notification.rule);
}

class NotifierImpl final : public engine::Notifier {
 public:
  explicit NotifierImpl(Variable variable)
      : variable_(std::move(variable)), stop_event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  ~NotifierImpl() override { Shutdown(); }

  void Deliver(engine::Delivery delivery, std::function<void(absl::Status)> done) override {
    const std::string receiver = ReceiverOf(delivery);
    absl::MutexLock lock(&mutex_);
    if (stop_) return;
    auto [queue, is_new] = queues_.try_emplace(receiver);
    queue->second.push_back({std::move(delivery), std::move(done)});
    if (!is_new) return;  // it is ready or at work already
    ready_.push_back(receiver);
    if (idle_ < std::ssize(ready_) && std::ssize(threads_) < kMostAtOnce) threads_.emplace_back([this] { Work(); });
  }

  void Shutdown() override {
    std::vector<std::thread> threads;
    {
      absl::MutexLock lock(&mutex_);
      stop_ = true;
      threads.swap(threads_);
      queues_.clear();
      ready_.clear();
    }
    const uint64_t one = 1;
    if (write(stop_event_.get(), &one, sizeof one) < 0) {
      // It was written before.
    }
    for (std::thread& thread : threads) thread.join();
  }

 private:
  // Takes one task of the receiver that waits for longest, so that none keeps a thread to itself.
  void Work() {
    for (;;) {
      std::string receiver;
      Task task;
      {
        absl::MutexLock lock(&mutex_);
        ++idle_;
        const auto can_go_on = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stop_ || !ready_.empty(); };
        mutex_.Await(absl::Condition(&can_go_on));
        --idle_;
        if (stop_) return;
        receiver = std::move(ready_.front());
        ready_.pop_front();
        std::deque<Task>& queue = queues_.at(receiver);
        task = std::move(queue.front());
        queue.pop_front();
      }
      absl::Status status = Try(task.delivery);
      if (stop_) return;
      task.done(std::move(status));
      absl::MutexLock lock(&mutex_);
      const auto queue = queues_.find(receiver);
      if (queue == queues_.end()) return;  // shutting down
      if (queue->second.empty()) {
        queues_.erase(queue);
      } else {
        ready_.push_back(std::move(receiver));
      }
    }
  }

  absl::Status Try(const engine::Delivery& delivery) {
    const core::NotificationRule& rule = delivery.rule;
    if (const auto* webhook = std::get_if<core::Webhook>(&rule.target)) return Post(delivery, *webhook);
    const auto* command = std::get_if<core::NotificationCommand>(&rule.target);
    if (command == nullptr || command->command.empty()) return absl::InvalidArgumentError("it has no target");
    CommandCall call;
    call.command = command->command;
    call.folder = delivery.base_dir;
    call.environment = CommandEnvironment();
    call.input = MessageJson(delivery) + "\n";
    return RunCommand(call, stop_event_.get());
  }

  absl::Status Post(const engine::Delivery& delivery, const core::Webhook& webhook) {
    WebhookCall call;
    call.url = webhook.url;
    call.body = MessageJson(delivery);
    call.headers = {"Content-Type: application/json", "User-Agent: tuner",
                    "Expect:", "X-Tuner-Event: " + EventName(delivery), "X-Tuner-Delivery: " + DeliveryId(delivery)};
    if (!webhook.hmac_key_env.empty()) {
      const std::optional<std::string> key = variable_(webhook.hmac_key_env);
      if (!key || key->empty()) {
        return absl::FailedPreconditionError(
            absl::StrCat("the server's environment has no ", webhook.hmac_key_env, ": start it with that variable"));
      }
      const std::string signature = Signature(*key, call.body);
      if (signature.empty()) return absl::InternalError("OpenSSL has no HMAC-SHA256");
      call.headers.push_back("X-Tuner-Signature: sha256=" + signature);
    }
    return PostWebhook(call, stop_);
  }

  const Variable variable_;
  const executors::UniqueFd stop_event_;  // can be read once it stops
  std::atomic<bool> stop_ = false;        // set under mutex_

  absl::Mutex mutex_;
  absl::flat_hash_map<std::string, std::deque<Task>> queues_
      ABSL_GUARDED_BY(mutex_);                             // of receivers with something to do
  std::deque<std::string> ready_ ABSL_GUARDED_BY(mutex_);  // of those, the ones that are not being told right now
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mutex_);
  int idle_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace

std::optional<std::string> ProcessVariable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return value;
}

std::unique_ptr<engine::Notifier> MakeNotifier(Variable variable) {
  return std::make_unique<NotifierImpl>(std::move(variable));
}

}  // namespace tuner::notify

// What others are to be told of the job: stored with what it tells of, sent afterwards until it was taken.
#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/machine.h"

namespace tuner::core {
namespace {

// Tries come 1 s, 2 s, 4 s, ... after each other, an hour apart in the end. A receiver that is away for longer than a
// day will not miss this one.
constexpr absl::Duration kFirstWait = absl::Seconds(1);
constexpr absl::Duration kLongestWait = absl::Hours(1);
constexpr absl::Duration kTriedFor = absl::Hours(24);
constexpr int kMostTries = 40;

absl::Duration WaitAfter(int tries) {
  return std::min(kLongestWait, kFirstWait * (int64_t{1} << std::clamp(tries - 1, 0, 20)));
}

}  // namespace

void Machine::Notify(NotificationEvent event, std::optional<int32_t> trial, const std::string& text) {
  const std::vector<NotificationRule>& rules = state_.spec().notifications;
  for (size_t i = 0; i < rules.size(); ++i) {
    if (std::find(rules[i].events.begin(), rules[i].events.end(), event) == rules[i].events.end()) continue;
    JobHeader header = state_.header();
    Notification notification;
    notification.number = header.notifications.made() + 1;
    notification.rule = static_cast<int32_t>(i);
    notification.event = event;
    notification.trial = trial;
    notification.text = text;
    notification.job_status = header.status;
    notification.time = at_;
    notification.next_try = at_;
    ++header.notifications.due;
    PutJob(std::move(header));
    PutNotification(std::move(notification));
  }
}

void Machine::PutNotification(Notification notification) {
  decision_.changes.push_back(NotificationPut{std::move(notification)});
  Apply(decision_.changes.back(), state_);
}

void Machine::On(const Notified& event) {
  state_.live.notifying.erase(event.number);
  const auto due = state_.due_notifications().find(event.number);
  if (due == state_.due_notifications().end()) return;  // an earlier try that was thought to be lost had come through
  Notification notification = due->second;
  JobHeader header = state_.header();
  NotificationCounts& counts = header.notifications;
  ++notification.tries;
  if (event.ok) {
    notification.state = NotificationState::kDelivered;
    notification.failure.clear();
    --counts.due;
    ++counts.delivered;
    if (counts.last_failure_rule == notification.rule) {
      counts.last_failure.clear();
      counts.last_failure_time.reset();
    }
  } else {
    notification.failure = event.reason;
    counts.last_failure_rule = notification.rule;
    counts.last_failure_time = at_;
    counts.last_failure = absl::StrCat("notifications[", notification.rule, "]: ", event.reason, " (notification ",
                                       notification.number, ", try ", notification.tries);
    if (notification.tries >= kMostTries || at_ >= notification.time + kTriedFor) {
      notification.state = NotificationState::kGivenUp;
      --counts.due;
      ++counts.given_up;
      absl::StrAppend(&counts.last_failure, "; given up)");
    } else {
      notification.next_try = at_ + WaitAfter(notification.tries);
      absl::StrAppend(&counts.last_failure, ")");
    }
  }
  PutJob(std::move(header));
  PutNotification(std::move(notification));
}

void Machine::SendDueNotifications() {
  for (const auto& [number, notification] : state_.due_notifications()) {
    if (notification.next_try > at_ && !state_.live.notify_all) continue;
    if (state_.live.notifying.insert(number).second) decision_.effects.push_back(SendNotification{number});
  }
  state_.live.notify_all = false;
}

absl::Time Machine::NextNotification() const {
  absl::Time next = absl::InfiniteFuture();
  for (const auto& [number, notification] : state_.due_notifications()) {
    if (!state_.live.notifying.contains(number)) next = std::min(next, notification.next_try);
  }
  return next;
}

}  // namespace tuner::core

#include "tuner/notify/message.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/resource_names.h"
#include "proto/convert.h"
#include "proto/enums.h"
#include "proto/message_text.h"
#include "proto/utf8.h"
#include "tuner/v1/tuning_job.pb.h"

namespace tuner::notify {

std::string DeliveryId(const engine::Delivery& delivery) {
  return absl::StrCat(delivery.job_uid, "-", delivery.notification.number);
}

std::string EventName(const engine::Delivery& delivery) {
  return v1::Notification::Event_Name(convert::WireEvent(delivery.notification.event));
}

std::string MessageJson(const engine::Delivery& delivery) {
  const core::Notification& notification = delivery.notification;
  v1::NotificationMessage message;
  message.set_id(DeliveryId(delivery));
  message.set_event(convert::WireEvent(notification.event));
  *message.mutable_time() = convert::ToProto(notification.time);
  message.set_job(core::JobName(delivery.job_id));
  message.set_job_state(convert::WireStatus(notification.job_status));
  message.set_text(convert::ToUtf8(notification.text));
  if (notification.trial) message.set_trial(core::TrialName(delivery.job_id, *notification.trial));
  *message.mutable_trial_counts() = convert::ToProto(delivery.counts);
  if (delivery.best_trial) message.set_best_trial(core::TrialName(delivery.job_id, *delivery.best_trial));
  if (delivery.best_objective) message.set_best_objective(*delivery.best_objective);
  return job_file::ToJson(message, job_file::JsonLayout::kOneLine);
}

std::string Signature(std::string_view key, std::string_view body) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  const auto* bytes = reinterpret_cast<const unsigned char*>(body.data());
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes, body.size(), digest, &size) == nullptr) {
    return "";
  }
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(digest), size));
}

}  // namespace tuner::notify

// What a receiver of notifications gets. Pure functions; any thread.
#pragma once

#include <string>
#include <string_view>

#include "tuner/engine/notifier.h"

namespace tuner::notify {

// The same for each try: the job's uid, "-", and the notification's number.
std::string DeliveryId(const engine::Delivery& delivery);
// "JOB_ENDED"
std::string EventName(const engine::Delivery& delivery);
// A NotificationMessage as one line of JSON.
std::string MessageJson(const engine::Delivery& delivery);

// HMAC-SHA256 of `body` in hexadecimal digits. Empty if OpenSSL cannot.
std::string Signature(std::string_view key, std::string_view body);

}  // namespace tuner::notify

// Delivers notifications by HTTP and by commands.
//
// Threads: as tuner/engine/notifier.h says; deliveries run on threads of their own, one at a time for each receiver and
// at most kMostAtOnce at a time. Errors: the sentences of webhook.h and command.h.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "tuner/engine/notifier.h"

namespace tuner::notify {

// Receivers that are told at the same time. More wait for the first of them that is done, which takes 30 s at most.
inline constexpr int kMostAtOnce = 16;

// A variable of this process, such as one that holds a key.
std::optional<std::string> ProcessVariable(const std::string& name);

std::unique_ptr<engine::Notifier> MakeNotifier(
    std::function<std::optional<std::string>(const std::string&)> variable = &ProcessVariable);

}  // namespace tuner::notify

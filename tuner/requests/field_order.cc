#include "tuner/requests/field_order.h"

#include <algorithm>
#include <climits>

#include "absl/strings/numbers.h"
#include "google/protobuf/descriptor.h"
#include "tuner/v1/tuning_job.pb.h"

namespace tuner::requests {

FieldOrderKey FieldOrder(absl::string_view path) {
  const google::protobuf::Descriptor* message = v1::TuningJobSpec::descriptor();
  FieldOrderKey key;
  while (!path.empty()) {
    const size_t end = path.find_first_of(".[");
    const std::string name(path.substr(0, end));
    const google::protobuf::FieldDescriptor* field = message == nullptr ? nullptr : message->FindFieldByName(name);
    if (field == nullptr) {
      key.emplace_back(message == v1::TuningJobSpec::descriptor() ? INT_MAX : 0, std::string(path));
      return key;
    }
    key.emplace_back(field->index(), "");
    path.remove_prefix(end == absl::string_view::npos ? path.size() : end);
    message = field->message_type();
    if (field->is_map()) {  // a key may hold any character: the rest of the path
      key.emplace_back(0, std::string(path));
      return key;
    }
    if (!path.empty() && path.front() == '[') {
      const size_t close = path.find(']');
      int index = 0;
      if (!absl::SimpleAtoi(path.substr(1, close == absl::string_view::npos ? close : close - 1), &index))
        index = INT_MAX;
      key.emplace_back(index, "");
      path.remove_prefix(close == absl::string_view::npos ? path.size() : close + 1);
    }
    if (!path.empty() && path.front() == '.') path.remove_prefix(1);
  }
  return key;
}

void SortProblems(core::Problems& problems) {
  std::stable_sort(problems.begin(), problems.end(), [](const core::Problem& a, const core::Problem& b) {
    return FieldOrder(a.path) < FieldOrder(b.path);
  });
  problems.erase(
      std::unique(problems.begin(), problems.end(),
                  [](const core::Problem& a, const core::Problem& b) { return a.path == b.path && a.text == b.text; }),
      problems.end());
}

}  // namespace tuner::requests

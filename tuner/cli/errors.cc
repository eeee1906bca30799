#include "tuner/cli/errors.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tuner/cli/text.h"

namespace tuner::cli {

int ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return kDone;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return kUnreachable;
    case absl::StatusCode::kCancelled:
      return kInterrupted;
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kAborted:
      return kJobFailed;
    default:
      return kBadInput;
  }
}

std::string ErrorText(const absl::Status& status) {
  std::string text = "tuner: ";
  std::string message(status.message());
  if (message.empty()) message = absl::StatusCodeToString(status.code());
  if (status.code() == absl::StatusCode::kInternal) message = absl::StrCat("a defect of the server: ", message);
  const std::vector<std::string> lines = absl::StrSplit(message, '\n');
  for (size_t i = 0; i < lines.size(); ++i) {
    const std::string line(absl::StripAsciiWhitespace(lines[i]));
    if (i > 0 && line.empty()) continue;
    absl::StrAppend(&text, i > 0 ? "  " : "", Printable(line), "\n");
  }
  if (status.code() == absl::StatusCode::kUnauthenticated) {
    text += "  Give the server's token with --token, TUNER_TOKEN, or --data DIR of the server.\n";
  }
  return text;
}

}  // namespace tuner::cli

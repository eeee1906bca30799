#include "proto/job_file.h"

#include <charconv>
#include <exception>
#include <sstream>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "proto/utf8.h"
#include "proto/yaml_reader.h"
#include "yaml-cpp/eventhandler.h"
#include "yaml-cpp/yaml.h"

namespace tuner::job_file {
namespace {

// Abseil of Debian 12 has a string_view of its own.
absl::string_view Absl(std::string_view text) { return {text.data(), text.size()}; }

absl::Status CheckText(absl::string_view text) {
  if (text.size() > kMaxTextSize) {
    return absl::InvalidArgumentError(
        absl::StrCat("the text has ", text.size(), " bytes; at most ", kMaxTextSize, " are read"));
  }
  if (!convert::IsUtf8(std::string_view(text.data(), text.size())))
    return absl::InvalidArgumentError("the text is not UTF-8; save it as UTF-8");
  int line = 1;
  for (const char c : text) {
    if (c == '\n') ++line;
    if (absl::ascii_iscntrl(c) && c != '\n' && c != '\r' && c != '\t') {
      return absl::InvalidArgumentError(
          absl::StrCat("line ", line, ": holds a control character; remove it, or write it in double quotes as \\x",
                       absl::Hex(c, absl::kZeroPad2)));
    }
  }
  return absl::OkStatus();
}

// JSON writes characters beyond U+FFFF as two \u escapes, which YAML does not know. Of one width, so that lines stay
// what they were.
std::string JoinSurrogates(absl::string_view text) {
  const auto unit = [&](size_t at) -> uint32_t {  // the value of \uXXXX at `at`, or 0
    uint32_t value = 0;
    if (at + 6 > text.size() || text[at] != '\\' || text[at + 1] != 'u') return 0;
    const auto [end, error] = std::from_chars(text.data() + at + 2, text.data() + at + 6, value, 16);
    return error == std::errc() && end == text.data() + at + 6 ? value : 0;
  };
  std::string result;
  result.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const uint32_t high = unit(at), low = unit(at + 6);
    if (high >= 0xD800 && high < 0xDC00 && low >= 0xDC00 && low < 0xE000) {
      absl::StrAppend(&result, "\\U", absl::Hex(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00), absl::kZeroPad8));
      at += 12;
    } else {
      const size_t step = text[at] == '\\' && at + 1 < text.size() ? 2 : 1;  // an escaped backslash begins nothing
      absl::StrAppend(&result, text.substr(at, step));
      at += step;
    }
  }
  return result;
}

bool LooksLikeJson(absl::string_view text) {
  const absl::string_view rest = absl::StripLeadingAsciiWhitespace(text);
  return !rest.empty() && rest[0] == '{';
}

// Sees only where documents begin. yaml-cpp must not be asked for all of them: where a text begins with a comma it
// gives one empty document after the other without end.
class DocumentStarts : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark& mark) override { line_ = mark.line + 1; }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}

  // Line of the document that was read last.
  int line() const { return line_; }

 private:
  int line_ = 0;
};

absl::StatusOr<YAML::Node> Load(absl::string_view text) {
  if (const absl::Status status = CheckText(text); !status.ok()) return status;
  const std::string yaml = LooksLikeJson(text) ? JoinSurrogates(text) : std::string(text);
  try {
    std::istringstream stream(yaml);
    YAML::Parser parser(stream);
    DocumentStarts documents;
    if (parser.HandleNextDocument(documents) && parser.HandleNextDocument(documents)) {
      return absl::InvalidArgumentError(
          absl::StrCat("line ", documents.line(), ": begins a second document; keep one, and no comma before it"));
    }
    return YAML::Load(yaml);
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError(
        absl::StrCat("line ", error.mark.line + 1, ": cannot be read as YAML: ", error.msg));
  } catch (const std::exception& error) {
    return absl::InvalidArgumentError(absl::StrCat("cannot be read as YAML: ", error.what()));
  }
}

std::string CamelCase(absl::string_view name) {
  std::string result;
  bool is_start = false;
  for (const char c : name) {
    if (c == '_') {
      is_start = true;
    } else {
      result += is_start ? absl::ascii_toupper(c) : c;
      is_start = false;
    }
  }
  return result;
}

// Goes from a node to the one that the front of `path` names, and takes that off; false if there is none. Map keys may
// hold dots: the longest key that fits is taken.
bool Descend(YAML::Node& node, int& line, absl::string_view& path) {
  if (path[0] == '[') {
    size_t index = 0;
    const size_t end = path.find(']');
    if (end == absl::string_view::npos || !absl::SimpleAtoi(path.substr(1, end - 1), &index)) return false;
    if (!node.IsSequence() || index >= node.size()) return false;
    node.reset(YAML::Node(node[index]));
    line = node.Mark().line + 1;
    path.remove_prefix(end + 1);
    return true;
  }
  if (path[0] == '.') path.remove_prefix(1);
  if (!node.IsMap()) return false;
  size_t best = 0;
  YAML::Node next;
  for (const auto& entry : node) {
    if (!entry.first.IsScalar()) continue;
    for (size_t size = path.size(); size > best; --size) {
      const bool is_whole = size == path.size() || path[size] == '.' || path[size] == '[';
      const absl::string_view name = path.substr(0, size);
      if (!is_whole || (entry.first.Scalar() != name && entry.first.Scalar() != CamelCase(name))) continue;
      best = size;
      next.reset(entry.second);
      line = entry.first.Mark().line + 1;
    }
  }
  if (best == 0) return false;
  node.reset(next);
  path.remove_prefix(best);
  return true;
}

}  // namespace

absl::Status MergeYaml(std::string_view text, google::protobuf::Message* message) {
  const absl::StatusOr<YAML::Node> root = Load(Absl(text));
  if (!root.ok()) return root.status();
  YamlReader reader;
  try {
    reader.ReadRoot(*root, *message);
  } catch (const std::exception& error) {
    return absl::InvalidArgumentError(absl::StrCat("cannot be read as YAML: ", error.what()));
  }
  return reader.status();
}

absl::StatusOr<v1::TuningJobSpec> ParseJobFile(std::string_view text) {
  v1::TuningJobSpec spec;
  if (const absl::Status status = MergeYaml(text, &spec); !status.ok()) return status;
  return spec;
}

std::optional<int> LineOfField(std::string_view text, std::string_view path) {
  const absl::StatusOr<YAML::Node> root = Load(Absl(text));
  if (!root.ok()) return std::nullopt;
  absl::string_view rest = Absl(path);
  try {
    YAML::Node node = *root;
    int line = 1;
    while (!rest.empty() && Descend(node, line, rest)) {
    }
    return line;
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

}  // namespace tuner::job_file

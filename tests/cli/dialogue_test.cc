// Golden dialogues: what a person types and what they see, from tests/dialogues/*.txt. With TUNER_REWRITE_DIALOGUES=1
// the files are written anew; review the difference.
//
// A file is a story of commands: `$ command` (run by sh, in a new folder with the files of tests/dialogues/files),
// followed by its output, errors included, and `[exit N]` unless 0. Lines that begin with # are remarks. Masked: times,
// durations, sizes, folders, tokens, seeds. Runs of spaces count as two, since what is masked has no fixed width.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "gtest/gtest.h"
#include "re2/re2.h"
#include "tests/cli/cli_process.h"

namespace tuner::testing {
namespace {

namespace fs = std::filesystem;

std::string ReadFile(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

std::string Masked(std::string text, const std::string& folder) {
  for (size_t at; (at = text.find(folder)) != std::string::npos;) text.replace(at, folder.size(), "<folder>");
  RE2::GlobalReplace(&text, R"(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?Z?)", "<time>");
  RE2::GlobalReplace(&text, R"(\b(\d+d \d\dh|\d+h \d\dm|\d+m \d\ds|\d+(\.\d+)?s|\d+ms)\b)", "<duration>");
  RE2::GlobalReplace(&text, R"(\b\d+(\.\d+)? (B|KiB|MiB|GiB)\b)", "<size>");
  RE2::GlobalReplace(&text, R"(\b[A-Za-z0-9_-]{40,}\b)", "<token>");
  RE2::GlobalReplace(&text, R"(\S+, process \d+)", "<host>, process <pid>");
  RE2::GlobalReplace(&text, R"((\S)   +)", R"(\1  )");
  RE2::GlobalReplace(&text, R"((?m) +$)", "");
  return text;
}

// Runs every command of a story and returns the story with what came out.
std::string Played(const std::string& story, const TestFolder& folder) {
  std::istringstream lines(story);
  std::string result, line;
  while (std::getline(lines, line)) {
    if (line.rfind("# ", 0) == 0) {
      result += line + "\n";
      continue;
    }
    if (line.rfind("$ ", 0) != 0) continue;
    RunningTuner shell("/bin/sh", {"-c", "exec 2>&1; " + line.substr(2)}, folder.path(), {});
    const Outcome outcome = shell.Wait();
    result += line + "\n" + Masked(outcome.out, folder.path());
    if (!outcome.out.empty() && outcome.out.back() != '\n') result += "\n";
    if (outcome.exit_code != 0) result += "[exit " + std::to_string(outcome.exit_code) + "]\n";
    result += "\n";
  }
  return result;
}

std::vector<std::string> Stories() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(TUNER_DIALOGUES)) {
    if (entry.path().extension() == ".txt") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

class DialogueTest : public ::testing::TestWithParam<std::string> {};

TEST_P(DialogueTest, ReadsAsWritten) {
  const fs::path file = fs::path(TUNER_DIALOGUES) / (GetParam() + ".txt");
  const TestFolder folder;
  fs::copy(fs::path(TUNER_DIALOGUES) / "files", folder.path(), fs::copy_options::recursive);
  const std::string expected = ReadFile(file);
  const std::string played = Played(expected, folder);
  const char* rewrite = std::getenv("TUNER_REWRITE_DIALOGUES");
  if (rewrite != nullptr && std::string(rewrite) == "1") {
    std::ofstream(file, std::ios::binary) << played;
    return;
  }
  EXPECT_EQ(played, expected) << "If this is as it should be: TUNER_REWRITE_DIALOGUES=1 and review the difference.";
}

INSTANTIATE_TEST_SUITE_P(Stories, DialogueTest, ::testing::ValuesIn(Stories()), [](const auto& story) {
  std::string name = story.param;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
  return name;
});

}  // namespace
}  // namespace tuner::testing

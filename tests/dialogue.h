// Golden dialogues: a text file of commands, each followed by a line "----", what came of it, and an empty line; lines
// with # are told as they are. With TUNER_REWRITE_DIALOGUES=1 a file is written anew; review the difference.
//
// Threads: for the thread of a test.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"

namespace tuner::testing {

// `tell` is given each command, and answers with what came of it: lines, each with its end.
inline void PlayDialogue(const std::filesystem::path& path,
                         const std::function<std::string(const std::string&)>& tell) {
  std::ifstream file(path);
  std::stringstream whole;
  whole << file.rdbuf();
  std::string played;
  bool in_answer = false;
  for (absl::string_view line : absl::StrSplit(whole.str(), '\n')) {
    if (in_answer) {
      in_answer = !line.empty();
      continue;
    }
    if (line.empty()) continue;
    if (line[0] == '#') {
      absl::StrAppend(&played, line, "\n");
    } else if (line == "----") {
      in_answer = true;
    } else {
      absl::StrAppend(&played, line, "\n----\n", tell(std::string(line)), "\n");
    }
  }
  if (std::getenv("TUNER_REWRITE_DIALOGUES") != nullptr) {
    std::ofstream(path) << played;
    return;
  }
  EXPECT_EQ(played, whole.str()) << "in " << path;
}

// The files of a folder, in the order of their names.
inline std::vector<std::filesystem::path> DialogueFiles(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace tuner::testing

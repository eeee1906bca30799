#include "tuner/embed/folder_id.h"

#include <errno.h>
#include <sys/stat.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace tuner::embed {

absl::StatusOr<std::string> FolderId(const std::string& data_dir) {
  struct stat info;
  if (stat(data_dir.c_str(), &info) != 0) return absl::ErrnoToStatus(errno, data_dir);
  return absl::StrCat("folder-", info.st_dev, "-", info.st_ino);
}

}  // namespace tuner::embed

#include "executors/sagemaker/code_archive.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <boost/filesystem/operations.hpp>
#include <memory>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "executors/unique_fd.h"

namespace tuner::executors::sagemaker {
namespace {

namespace fs = boost::filesystem;

constexpr size_t kBlock = 512;
constexpr size_t kMostName = 100;
constexpr size_t kMostPrefix = 155;
constexpr int64_t kMostFileBytes = int64_t{1} << 30;

struct CloseGzip {
  void operator()(gzFile_s* file) const { gzclose(file); }
};

// POSIX.1-1988 (ustar): a path is cut at a slash into a prefix and a name.
bool SplitName(const std::string& path, std::string& prefix, std::string& name) {
  if (path.size() <= kMostName) {
    name = path;
    return true;
  }
  for (size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    if (slash > kMostPrefix) return false;
    if (path.size() - slash - 1 > kMostName) continue;
    prefix = path.substr(0, slash);
    name = path.substr(slash + 1);
    return true;
  }
  return false;
}

// Without owner and time, so that the archive depends on the files only.
std::string TarHeader(const std::string& prefix, const std::string& name, int64_t size, bool executable) {
  std::string header(kBlock, '\0');
  const auto put = [&header](size_t at, const std::string& text) { header.replace(at, text.size(), text); };
  put(0, name);
  put(100, executable ? "0000755" : "0000644");
  put(108, "0000000");
  put(116, "0000000");
  put(124, absl::StrFormat("%011o", size));
  put(136, "00000000000");
  put(148, "        ");
  put(156, "0");
  put(257, std::string("ustar\0"
                       "00",
                       8));
  put(345, prefix);
  unsigned sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  put(148, absl::StrFormat("%06o", sum) + std::string("\0 ", 2));
  return header;
}

absl::Status AddFile(const std::string& folder, const std::string& path, gzFile_s* out) {
  const std::string full = absl::StrCat(folder, "/", path);
  const UniqueFd file(open(full.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status;
  if (!file || fstat(file.get(), &status) != 0)
    return absl::InvalidArgumentError(absl::StrCat("cannot read ", full, ": ", strerror(errno)));
  std::string prefix, name;
  if (!SplitName(path, prefix, name) || status.st_size > kMostFileBytes || !S_ISREG(status.st_mode)) {
    return absl::InvalidArgumentError(
        absl::StrCat(full, " cannot be packed: it is no file, its path is too long, or it has more than 1 GiB"));
  }
  std::string text = TarHeader(prefix, name, status.st_size, (status.st_mode & S_IXUSR) != 0);
  text.resize(kBlock + static_cast<size_t>(status.st_size));
  for (size_t done = kBlock; done < text.size();) {
    const ssize_t n = read(file.get(), text.data() + done, text.size() - done);
    if (n <= 0) return absl::UnavailableError(absl::StrCat("cannot read ", full, "; did it change meanwhile?"));
    done += static_cast<size_t>(n);
  }
  text.resize((text.size() + kBlock - 1) / kBlock * kBlock);
  if (gzwrite(out, text.data(), static_cast<unsigned>(text.size())) != static_cast<int>(text.size()))
    return absl::UnavailableError("cannot write the archive of the code; is the disk full?");
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> FilesBelow(const std::string& folder) {
  std::vector<std::string> files;
  boost::system::error_code error;
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    const fs::file_status status = it->status(error);
    if (error) break;
    if (absl::StartsWith(name, ".") || name == "__pycache__") {
      if (status.type() == fs::directory_file) it.disable_recursion_pending();
    } else if (status.type() == fs::regular_file) {
      files.push_back(it->path().string().substr(folder.size() + 1));
    }
  }
  if (error) return absl::InvalidArgumentError(absl::StrCat("cannot read ", folder, ": ", error.message()));
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

absl::Status PackCode(const std::string& folder, const std::string& only, const std::string& archive) {
  std::vector<std::string> files = {only};
  if (only.empty()) {
    absl::StatusOr<std::vector<std::string>> found = FilesBelow(folder);
    if (!found.ok()) return found.status();
    files = *std::move(found);
  }
  if (files.empty()) return absl::InvalidArgumentError(absl::StrCat("there is no file to pack in ", folder));
  std::unique_ptr<gzFile_s, CloseGzip> out(gzopen(archive.c_str(), "wb6"));
  if (out == nullptr) return absl::UnavailableError(absl::StrCat("cannot write ", archive, ": ", strerror(errno)));
  for (const std::string& file : files) {
    if (absl::Status added = AddFile(folder, file, out.get()); !added.ok()) return added;
  }
  const std::string end(2 * kBlock, '\0');
  const bool written =
      gzwrite(out.get(), end.data(), static_cast<unsigned>(end.size())) == static_cast<int>(end.size());
  if (gzclose(out.release()) != Z_OK || !written)
    return absl::UnavailableError(absl::StrCat("cannot write ", archive, "; is the disk full?"));
  return absl::OkStatus();
}

}  // namespace tuner::executors::sagemaker

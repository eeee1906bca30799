#include "tuner/server/tokens.h"

#include <fcntl.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/resource_names.h"
#include "tuner/requests/sha256.h"
#include "tuner/server/files.h"

namespace tuner::server {
namespace {

absl::StatusOr<std::string> ReadToken(const std::string& path) {
  absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return text.status();
  const absl::string_view token = absl::StripAsciiWhitespace(*text);
  if (token.size() < 16) {
    return absl::DataLossError(absl::StrCat(path, " holds no token; remove the file to have a new one made"));
  }
  return std::string(token);
}

// A lock between processes, held while the object lives.
class FileLock {
 public:
  static absl::StatusOr<FileLock> Take(const std::string& path) {
    const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return ErrnoStatus(errno, absl::StrCat("cannot open ", path));
    while (flock(fd, LOCK_EX) != 0) {
      if (errno == EINTR) continue;
      const int error = errno;
      close(fd);
      return ErrnoStatus(error, absl::StrCat("cannot lock ", path));
    }
    return FileLock(fd);
  }
  FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock() {
    if (fd_ >= 0) close(fd_);
  }

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_;
};

absl::StatusOr<std::string> ReadOrMake(const std::string& path) {
  absl::StatusOr<std::string> token = ReadToken(path);
  if (!absl::IsNotFound(token.status())) return token;
  absl::StatusOr<FileLock> lock = FileLock::Take(absl::StrCat(path, ".lock"));
  if (!lock.ok()) return lock.status();
  token = ReadToken(path);
  if (!absl::IsNotFound(token.status())) return token;
  absl::StatusOr<std::string> made = RandomToken();
  if (!made.ok()) return made.status();
  if (absl::Status status = WritePrivateFile(path, absl::StrCat(*made, "\n")); !status.ok()) return status;
  return made;
}

std::string NamedPath(const std::string& data_dir) { return absl::StrCat(data_dir, "/tokens"); }

absl::Status WriteNamed(const std::string& data_dir, const std::vector<NamedToken>& tokens) {
  std::string text;
  for (const NamedToken& token : tokens) {
    absl::StrAppend(&text, token.name, " ", absl::BytesToHexString(token.sha256), " ",
                    absl::ToUnixSeconds(token.create_time), "\n");
  }
  return WritePrivateFile(NamedPath(data_dir), text);
}

}  // namespace

absl::StatusOr<std::string> RandomToken() {
  unsigned char bytes[32];
  if (RAND_bytes(bytes, sizeof bytes) != 1) return absl::UnavailableError("no random numbers from OpenSSL");
  return absl::WebSafeBase64Escape(absl::string_view(reinterpret_cast<const char*>(bytes), sizeof bytes));
}

absl::StatusOr<std::string> ReadServerToken(const std::string& data_dir) { return ReadToken(data_dir + "/token"); }
absl::StatusOr<std::string> ReadOrMakeServerToken(const std::string& data_dir) {
  return ReadOrMake(data_dir + "/token");
}
absl::StatusOr<std::string> ReadOrMakeSecret(const std::string& data_dir) { return ReadOrMake(data_dir + "/secret"); }

absl::StatusOr<std::vector<NamedToken>> ListTokens(const std::string& data_dir) {
  absl::StatusOr<std::string> text = ReadFile(NamedPath(data_dir));
  if (absl::IsNotFound(text.status())) return std::vector<NamedToken>();
  if (!text.ok()) return text.status();
  std::vector<NamedToken> tokens;
  for (const absl::string_view line : absl::StrSplit(*text, '\n', absl::SkipWhitespace())) {
    const std::vector<absl::string_view> words = absl::StrSplit(line, ' ');
    int64_t created = 0;
    if (words.size() != 3 || words[1].size() != 64 || !absl::c_all_of(words[1], absl::ascii_isxdigit) ||
        !absl::SimpleAtoi(words[2], &created)) {
      return absl::DataLossError(absl::StrCat(NamedPath(data_dir), " has a line that cannot be read: remove it"));
    }
    tokens.push_back({std::string(words[0]), absl::HexStringToBytes(words[1]), absl::FromUnixSeconds(created)});
  }
  return tokens;
}

absl::StatusOr<std::string> CreateToken(const std::string& data_dir, const std::string& name, absl::Time now) {
  if (!core::IsJobId(name)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "\"", name, "\" is no name for a token: up to 63 letters, digits, '.', '_' and '-', a letter or digit first"));
  }
  absl::StatusOr<FileLock> lock = FileLock::Take(NamedPath(data_dir) + ".lock");
  if (!lock.ok()) return lock.status();
  absl::StatusOr<std::vector<NamedToken>> tokens = ListTokens(data_dir);
  if (!tokens.ok()) return tokens.status();
  for (const NamedToken& token : *tokens) {
    if (token.name == name) {
      return absl::AlreadyExistsError(absl::StrCat("there is a token named ", name, "; revoke it first"));
    }
  }
  absl::StatusOr<std::string> made = RandomToken();
  if (!made.ok()) return made.status();
  tokens->push_back({name, requests::Sha256(*made), now});
  if (absl::Status status = WriteNamed(data_dir, *tokens); !status.ok()) return status;
  return made;
}

absl::Status RevokeToken(const std::string& data_dir, const std::string& name) {
  absl::StatusOr<FileLock> lock = FileLock::Take(NamedPath(data_dir) + ".lock");
  if (!lock.ok()) return lock.status();
  absl::StatusOr<std::vector<NamedToken>> tokens = ListTokens(data_dir);
  if (!tokens.ok()) return tokens.status();
  const size_t removed = std::erase_if(*tokens, [&name](const NamedToken& token) { return token.name == name; });
  if (removed == 0) return absl::NotFoundError(absl::StrCat("there is no token named ", name));
  return WriteNamed(data_dir, *tokens);
}

}  // namespace tuner::server

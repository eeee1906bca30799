#include "tuner/server/listen.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "tuner/server/files.h"

namespace tuner::server {
namespace {

constexpr char kUnix[] = "unix:";

bool IsLoopback(const std::string& host) {
  in_addr v4{};
  in6_addr v6{};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  if (inet_pton(AF_INET6, host.c_str(), &v6) == 1) return IN6_IS_ADDR_LOOPBACK(&v6);
  return host == "localhost";
}

}  // namespace

std::string ListenAddress::ToString() const {
  if (!unix_path.empty()) return absl::StrCat(kUnix, unix_path);
  const bool v6 = host.find(':') != std::string::npos;
  return absl::StrCat(v6 ? "[" : "", host, v6 ? "]:" : ":", port);
}

absl::StatusOr<ListenAddress> ParseListenAddress(const std::string& text) {
  const absl::Status bad = absl::InvalidArgumentError(absl::StrCat(
      "listen: \"", text, "\" is no address; write HOST:PORT, like 127.0.0.1:7070, or unix:/path/to/socket"));
  ListenAddress address;
  if (absl::StartsWith(text, kUnix)) {
    std::string path = text.substr(std::strlen(kUnix));
    if (absl::StartsWith(path, "//")) path = path.substr(2);  // unix:///path
    if (path.empty()) return bad;
    std::error_code error;
    address.unix_path = std::filesystem::absolute(path, error).lexically_normal().string();
    if (error) return bad;
    address.loopback = true;
    return address;
  }
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) return bad;
  if (!absl::SimpleAtoi(text.substr(colon + 1), &address.port) || address.port < 0 || address.port > 65535) return bad;
  address.host = text.substr(0, colon);
  if (address.host.front() == '[' && address.host.back() == ']') address.host = address.host.substr(1, colon - 2);
  if (address.host.empty()) return bad;
  address.loopback = IsLoopback(address.host);
  return address;
}

absl::StatusOr<std::vector<ListenAddress>> CheckedListenAddresses(const ServerConfig& config) {
  if (config.tls_cert.empty() != config.tls_key.empty()) {
    return absl::InvalidArgumentError("tls_cert and tls_key belong together: give both, or none");
  }
  std::vector<ListenAddress> addresses;
  for (const std::string& text : config.listen) {
    absl::StatusOr<ListenAddress> address = ParseListenAddress(text);
    if (!address.ok()) return address.status();
    if (!address->loopback && !config.allow_insecure && (config.tls_cert.empty() || config.no_auth)) {
      return absl::FailedPreconditionError(
          absl::StrCat("listen: ", text, " can be reached from elsewhere, and ",
                       config.tls_cert.empty() ? "the connection would not be encrypted: give tls_cert and tls_key"
                                               : "no token would be asked for: leave out no_auth",
                       ", or set allow_insecure if everybody there may do everything"));
    }
    addresses.push_back(*std::move(address));
  }
  return addresses;
}

absl::Status PrepareSocketPath(const std::string& path) {
  sockaddr_un address{};
  if (path.size() >= sizeof address.sun_path) {
    return absl::InvalidArgumentError(absl::StrCat("listen: the path of a unix socket may have up to ",
                                                   sizeof address.sun_path - 1, " bytes; ", path, " has ",
                                                   path.size()));
  }
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0) {
    if (errno != ENOENT) return ErrnoStatus(errno, absl::StrCat("cannot look at ", path));
    return MakePrivateFolder(std::filesystem::path(path).parent_path().string());
  }
  if (!S_ISSOCK(info.st_mode)) {
    return absl::AlreadyExistsError(absl::StrCat("listen: ", path, " is there and is no socket; choose another path"));
  }
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return ErrnoStatus(errno, "cannot make a socket");
  const absl::Cleanup closer = [fd] { close(fd); };
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 || errno == EAGAIN) {
    return absl::UnavailableError(absl::StrCat("a server answers at unix:", path, " already"));
  }
  if (errno != ECONNREFUSED) return ErrnoStatus(errno, absl::StrCat("cannot connect to ", path));
  if (unlink(path.c_str()) != 0) return ErrnoStatus(errno, absl::StrCat("cannot remove ", path));
  return absl::OkStatus();
}

PrivateUmask::PrivateUmask() : before_(umask(0177)) {}
PrivateUmask::~PrivateUmask() { umask(before_); }

}  // namespace tuner::server

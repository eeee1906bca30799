#include "executors/aws/sigv4.h"

#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "executors/http_client.h"

namespace tuner::executors::aws {
namespace {

constexpr char kAlgorithm[] = "AWS4-HMAC-SHA256";

// Proxies, HTTP libraries and tracing change these.
constexpr std::array<absl::string_view, 14> kNotSigned = {"baggage",
                                                          "connection",
                                                          "expect",
                                                          "keep-alive",
                                                          "proxy-authenticate",
                                                          "proxy-authorization",
                                                          "te",
                                                          "trailer",
                                                          "traceparent",
                                                          "tracestate",
                                                          "upgrade",
                                                          "transfer-encoding",
                                                          "user-agent",
                                                          "x-amzn-trace-id"};
// Set by Sign.
constexpr std::array<absl::string_view, 4> kReplaced = {"authorization", "x-amz-date", "x-amz-security-token",
                                                        "x-amz-content-sha256"};

template <typename Names>
bool Holds(const Names& names, absl::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

struct UrlParts {
  std::string host;  // as in the Host header
  std::string path;
  std::string query;
};

absl::StatusOr<UrlParts> SplitUrl(absl::string_view url) {
  const bool odd =
      std::any_of(url.begin(), url.end(), [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '\x7f'; });
  const bool https = absl::StartsWithIgnoreCase(url, "https://");
  if (odd || (!https && !absl::StartsWithIgnoreCase(url, "http://"))) {
    return absl::InvalidArgumentError("the URL to sign must begin with http:// or https:// and hold no space");
  }
  url.remove_prefix(https ? 8 : 7);
  url = url.substr(0, url.find('#'));
  absl::string_view host = url.substr(0, url.find_first_of("/?"));
  url.remove_prefix(host.size());
  UrlParts parts;
  const size_t question = url.find('?');
  parts.path = std::string(url.substr(0, question));
  if (question != absl::string_view::npos) parts.query = std::string(url.substr(question + 1));
  if (const size_t user = host.rfind('@'); user != absl::string_view::npos) host.remove_prefix(user + 1);
  // Clients leave the scheme's own port out.
  for (const absl::string_view port : {absl::string_view(":"), absl::string_view(https ? ":443" : ":80")}) {
    if (absl::EndsWith(host, port)) host.remove_suffix(port.size());
  }
  if (host.empty()) return absl::InvalidArgumentError("the URL to sign names no host");
  parts.host = absl::AsciiStrToLower(host);
  return parts;
}

bool IsS3(absl::string_view service) { return service == "s3" || absl::StartsWith(service, "s3-"); }

// RFC 3986, 5.2.4, and several slashes are one.
std::string WithoutDotSegments(absl::string_view path) {
  std::vector<absl::string_view> kept;
  for (const absl::string_view segment : absl::StrSplit(path, '/')) {
    if (segment == "..") {
      if (!kept.empty()) kept.pop_back();
    } else if (!segment.empty() && segment != ".") {
      kept.push_back(segment);
    }
  }
  const bool last = absl::EndsWith(path, "/") && !kept.empty();
  return absl::StrCat("/", absl::StrJoin(kept, "/"), last ? "/" : "");
}

std::string CanonicalPath(absl::string_view path, absl::string_view service) {
  if (path.empty()) return "/";
  if (IsS3(service)) return std::string(path);
  // A second time: the path is sent encoded already.
  std::vector<std::string> segments;
  for (const absl::string_view segment : absl::StrSplit(WithoutDotSegments(path), '/')) {
    segments.push_back(PercentEncode(segment));
  }
  return absl::StrJoin(segments, "/");
}

std::string CanonicalQuery(absl::string_view query) {
  if (query.empty()) return "";
  std::vector<std::pair<absl::string_view, absl::string_view>> pairs;
  for (const absl::string_view pair : absl::StrSplit(query, '&')) {
    const size_t equals = pair.find('=');
    pairs.emplace_back(pair.substr(0, equals),
                       equals == absl::string_view::npos ? absl::string_view() : pair.substr(equals + 1));
  }
  std::sort(pairs.begin(), pairs.end());
  return absl::StrJoin(pairs, "&", absl::PairFormatter("="));
}

// Names in lower case; values without outer white space and with single spaces, of one name joined by commas in their
// order.
std::map<std::string, std::string> SignedHeaders(const Headers& headers) {
  std::map<std::string, std::string> folded;
  for (const auto& [name, value] : headers) {
    const std::string key = absl::AsciiStrToLower(absl::StripAsciiWhitespace(name));
    if (Holds(kNotSigned, key) || key == "authorization") continue;
    std::string clean = value;
    for (char& c : clean) c = absl::ascii_isspace(static_cast<unsigned char>(c)) ? ' ' : c;
    absl::RemoveExtraAsciiWhitespace(&clean);
    const auto [at, is_new] = folded.emplace(key, clean);
    if (!is_new) absl::StrAppend(&at->second, ",", clean);
  }
  return folded;
}

std::string SignedHeaderNames(const std::map<std::string, std::string>& headers) {
  return absl::StrJoin(headers, ";", [](std::string* out, const auto& header) { out->append(header.first); });
}

std::string Hmac(absl::string_view key, absl::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
       text.size(), digest.data(), &size);
  return {reinterpret_cast<const char*>(digest.data()), size};
}

}  // namespace

absl::StatusOr<std::string> CanonicalRequest(const SigningRequest& request, const SigningScope& scope) {
  const absl::StatusOr<UrlParts> url = SplitUrl(request.url);
  if (!url.ok()) return url.status();
  const std::map<std::string, std::string> headers = SignedHeaders(request.headers);
  std::string lines;
  for (const auto& [name, value] : headers) absl::StrAppend(&lines, name, ":", value, "\n");
  return absl::StrCat(absl::AsciiStrToUpper(request.method), "\n", CanonicalPath(url->path, scope.service), "\n",
                      CanonicalQuery(url->query), "\n", lines, "\n", SignedHeaderNames(headers), "\n",
                      request.payload_hash);
}

absl::StatusOr<Headers> Sign(const SigningRequest& request, const SigningScope& scope, const Credentials& credentials,
                             absl::Time now) {
  const absl::StatusOr<UrlParts> url = SplitUrl(request.url);
  if (!url.ok()) return url.status();
  const std::string time = absl::FormatTime("%Y%m%dT%H%M%SZ", now, absl::UTCTimeZone());
  const std::string date = time.substr(0, 8);
  Headers added;
  SigningRequest whole = {request.method, request.url, {}, request.payload_hash};
  bool has_host = false;
  for (const auto& header : request.headers) {
    const std::string name = absl::AsciiStrToLower(header.first);
    has_host |= name == "host";
    if (!Holds(kReplaced, name)) whole.headers.push_back(header);
  }
  if (!has_host) added.emplace_back("Host", url->host);
  added.emplace_back("X-Amz-Date", time);
  if (!credentials.session_token.empty()) added.emplace_back("X-Amz-Security-Token", credentials.session_token);
  if (IsS3(scope.service) || request.payload_hash == kUnsignedPayload) {
    added.emplace_back("X-Amz-Content-Sha256", request.payload_hash);
  }
  whole.headers.insert(whole.headers.end(), added.begin(), added.end());

  const absl::StatusOr<std::string> canonical = CanonicalRequest(whole, scope);
  if (!canonical.ok()) return canonical.status();
  const std::string where = absl::StrCat(date, "/", scope.region, "/", scope.service, "/aws4_request");
  const std::string text = absl::StrCat(kAlgorithm, "\n", time, "\n", where, "\n", HexSha256(*canonical));
  std::string key = Hmac(absl::StrCat("AWS4", credentials.secret_access_key), date);
  for (const absl::string_view step :
       {absl::string_view(scope.region), absl::string_view(scope.service), absl::string_view("aws4_request")}) {
    key = Hmac(key, step);
  }
  added.emplace_back("Authorization", absl::StrCat(kAlgorithm, " Credential=", credentials.access_key_id, "/", where,
                                                   ", SignedHeaders=", SignedHeaderNames(SignedHeaders(whole.headers)),
                                                   ", Signature=", absl::BytesToHexString(Hmac(key, text))));
  return added;
}

}  // namespace tuner::executors::aws

// Signs what stands on standard input, one JSON object a line, and prints what is to be sent beside it, one JSON object
// a line: {"url": ..., "headers": [[name, value], ...]} or {"error": ...}. For sigv4_botocore_test.py.
//
// In: method, service, region, time (Unix seconds), access_key_id, secret_access_key, session_token, headers,
// payload_hash, and the URL either as `url`, or as `base`, `segments` and `params` that are to be encoded.
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "executors/aws/sigv4.h"
#include "executors/http_client.h"

namespace {

using nlohmann::json;
using tuner::executors::PercentEncode;

std::string UrlOf(const json& request) {
  if (request.contains("url")) return request["url"];
  std::string url = request["base"];
  for (const std::string segment : request["segments"]) absl::StrAppend(&url, "/", PercentEncode(segment));
  const char* separator = "?";
  for (const json& param : request["params"]) {
    absl::StrAppend(&url, separator, PercentEncode(param[0].get<std::string>()), "=",
                    PercentEncode(param[1].get<std::string>()));
    separator = "&";
  }
  return url;
}

json Answer(const json& request) {
  using namespace tuner::executors::aws;
  SigningRequest to_sign = {request["method"], UrlOf(request), {}, request["payload_hash"]};
  for (const json& header : request["headers"]) to_sign.headers.emplace_back(header[0], header[1]);
  const Credentials keys = {request["access_key_id"], request["secret_access_key"], request["session_token"]};
  const auto added = Sign(to_sign, {request["service"], request["region"]}, keys,
                          absl::FromUnixSeconds(request["time"].get<int64_t>()));
  if (!added.ok()) return {{"error", std::string(added.status().message())}};
  return {{"url", to_sign.url}, {"headers", *added}};
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    const json request = json::parse(line, nullptr, false);
    if (request.is_discarded()) return 2;
    std::cout << Answer(request).dump() << "\n";
  }
}

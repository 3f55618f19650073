// SPDX-License-Identifier: Apache-2.0
#include "outbound_mail.hpp"

#include <algorithm>
#include <cstring>

#include "core/digest.hpp"
#include "core/encoding.hpp"
#include "core/secret.hpp"
#include "durable_file.hpp"
#include "json_reader.hpp"
#include "log.hpp"
#include "mail_message.hpp"
#include "outbound_curl.hpp"

namespace aegis::server {

namespace {

constexpr size_t kSecretBytes = 4096;

// The same job has the same id, so that a mail that came twice is known as one.
// Keys are those of a kind: two kinds may have the same.
std::string message_id(const Task &task, const std::string &from) {
    const std::string name = task.kind + "/" + task.key;
    const core::Digest digest = core::sha256(core::as_bytes(name));
    std::string hex(core::hex_size(16), '\0');
    core::to_hex({digest.bytes, 16}, hex.data());
    return hex + from.substr(from.find('@'));
}

bool read_message(const MailConfig &config, const Task &task, MailMessage *message) {
    const JsonReader reader(task.payload);
    if (!reader.has_only({"to", "subject", "text", "attachment_name", "attachment"})) return false;
    message->to = reader.text("to").value_or("");
    message->subject = reader.text("subject").value_or("");
    message->text = reader.text("text").value_or("");
    if (reader.has("attachment_name") || reader.has("attachment")) {
        message->attachment_name = reader.text("attachment_name").value_or("");
        message->attachment = reader.bytes("attachment").value_or("");
        if (!is_mail_attachment(message->attachment_name, message->attachment)) return false;
    }
    message->from = config.from;
    message->from_name = config.from_name;
    message->id = message_id(task, config.from);
    message->date = std::time(nullptr);
    return is_mail_address(message->to) && !message->subject.empty() &&
           is_mail_line(message->subject) && is_mail_body(message->text);
}

struct Upload {
    const std::string *wire;
    size_t at = 0;
};

size_t give(char *buffer, size_t, size_t room, void *state) {
    auto *upload = static_cast<Upload *>(state);
    const size_t count = std::min(room, upload->wire->size() - upload->at);
    std::memcpy(buffer, upload->wire->data() + upload->at, count);
    upload->at += count;
    return count;
}

size_t drop_answer(char *, size_t, size_t count, void *) {
    return count;
}

struct Secret {
    std::string text;
    ~Secret() { core::wipe({reinterpret_cast<uint8_t *>(text.data()), text.size()}); }
};

void set_login(const Easy &easy, const MailConfig &config) {
    if (config.user.empty()) return;
    Secret password;
    password.text = read_file(config.password_file, kSecretBytes);
    while (!password.text.empty() && password.text.back() == '\n') password.text.pop_back();
    set(easy, CURLOPT_USERNAME, config.user.c_str());
    set(easy, CURLOPT_PASSWORD, password.text.c_str());
}

// The relay wants a login, or another one (RFC 4954).
bool is_of_login(long status) {
    return status == 530 || status == 534 || status == 535 || status == 538;
}

Outcome outcome_of(CURLcode code, long status, bool was_given, const Walls &walls) {
    if (code == CURLE_OK) return Outcome::delivered();
    if (code == CURLE_USE_SSL_FAILED) return Outcome::retry("tls_not_offered");
    if (code == CURLE_LOGIN_DENIED || is_of_login(status)) return Outcome::retry("login_refused");
    // It serves nobody at present, or not us, and has not heard of the mail.
    if (code == CURLE_REMOTE_ACCESS_DENIED || (code == CURLE_WEIRD_SERVER_REPLY && !was_given))
        return Outcome::retry("relay_closed");
    // A word of the relay about this mail; everything else is about the way to it.
    if (status >= 400 && status < 600 && code != CURLE_OPERATION_TIMEDOUT) {
        Outcome outcome = status < 500 ? Outcome::retry("") : Outcome::refused("");
        outcome.error = "status_" + std::to_string(status);
        outcome.status = status;
        return outcome;
    }
    return failure_of(code, walls);
}

Outcome send(const AgentConfig &config, const MailMessage &message, const Deadline &deadline) {
    const MailConfig &mail = config.mail;
    Walls walls{&mail.networks, &deadline};
    const bool is_wrapped = mail.security == "tls";
    const Easy easy = make_transfer(config, is_wrapped ? "smtps" : "smtp", mail.ca, &walls);
    const std::string url = (is_wrapped ? "smtps://" : "smtp://") + mail.host + ":" +
                            std::to_string(mail.port) +
                            // How we call ourselves; the name of the machine is nobody's business.
                            "/" + mail.from.substr(mail.from.find('@') + 1);
    set(easy, CURLOPT_URL, url.c_str());
    // Without TLS nothing is said, neither a password nor a mail.
    set(easy, CURLOPT_USE_SSL, static_cast<long>(CURLUSESSL_ALL));
    set_login(easy, mail);
    const std::string wire = render_message(message);
    Upload upload{&wire};
    List recipients;
    append(&recipients, "<" + message.to + ">");
    set(easy, CURLOPT_MAIL_FROM, ("<" + message.from + ">").c_str());
    set(easy, CURLOPT_MAIL_RCPT, recipients.get());
    set(easy, CURLOPT_READFUNCTION, give);
    set(easy, CURLOPT_READDATA, &upload);
    set(easy, CURLOPT_WRITEFUNCTION, drop_answer);
    set(easy, CURLOPT_UPLOAD, 1L);
    const CURLcode code = curl_easy_perform(easy.get());
    long status = 0;
    curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
    return outcome_of(code, status, upload.at > 0, walls);
}

}  // namespace

Outcome carry_mail(const AgentConfig &config, const Task &task, const Deadline &deadline) {
    MailMessage message;
    if (!read_message(config.mail, task, &message)) return Outcome::refused("payload_malformed");
    try {
        if (!config.mail.host.empty()) return send(config, message, deadline);
        // Only the same job has the same name, so a second time it is there already.
        (void)create_whole_file(config.mail.folder + "/" + message.id + ".eml",
                                render_message(message), 0600);
        return Outcome::delivered();
    } catch (const FileError &error) {
        log_event(Level::error, "mail_failed", {{"error", error.what()}});
        return Outcome::retry("mail_failed");
    }
}

}  // namespace aegis::server

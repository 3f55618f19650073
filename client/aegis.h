/* SPDX-License-Identifier: Apache-2.0
 * libaegis: seals and opens values of one encrypted field outside the database. docs/client.md.
 *
 * Every function returns AEGIS_OK or says what is wrong. None raises, exits, prints or logs. A key
 * may be used by several threads; calls with one key wait for each other. What was allocated for a
 * key is wiped by aegis_key_free().
 */
#ifndef AEGIS_H
#define AEGIS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Of this header. Libraries of one major number work with all programs of it. */
#define AEGIS_VERSION_MAJOR 1
#define AEGIS_VERSION_MINOR 0

#define AEGIS_KEY_BYTES 32   /* private and public keys of a program */
#define AEGIS_TOKEN_BYTES 16 /* search tokens */

typedef enum aegis_status {
  AEGIS_OK = 0,
  AEGIS_MISUSE = 1,      /* an argument is NULL that must not be */
  AEGIS_TOO_SMALL = 2,   /* the buffer; *written says how many bytes are needed */
  AEGIS_TOO_LONG = 3,    /* the value: over 512 MB, or over 1000 bytes in a searchable field */
  AEGIS_MALFORMED = 4,   /* not a sealed key, not a sealed value, not a value of this field */
  AEGIS_CANNOT_OPEN = 5, /* changed, or sealed for another program, tenant or field */
  AEGIS_OTHER_EPOCH = 6, /* sealed under an older or newer key of the tenant */
  AEGIS_UNSUPPORTED = 7, /* a key of a version, suite or type that this library does not know */
  AEGIS_NO_SEARCH = 8,   /* the field is not searchable */
  AEGIS_FAILED = 9       /* out of memory, or libcrypto refused */
} aegis_status;

/* The key of one field of one tenant, of one epoch. */
typedef struct aegis_key aegis_key;

/* major * 1000 + minor of the library that was loaded. */
unsigned aegis_version(void);

/* What a status means: English, lower case, constant. Never NULL. */
const char *aegis_status_text(aegis_status status);

/* A key pair for this program. The public one goes to the operators of the database, who export a
 * field key for it; the private one stays. Both have AEGIS_KEY_BYTES. */
aegis_status aegis_keypair(uint8_t *private_key, uint8_t *public_key);

/* Opens what aegis.export_field_key() returned ("AF1.", NUL-terminated). *key is NULL on failure. */
aegis_status aegis_key_open(const uint8_t *private_key, const char *sealed, aegis_key **key);

/* Wipes and frees. NULL is allowed. */
void aegis_key_free(aegis_key *key);

/* The epoch of the tenant's key; 0 for NULL. */
uint32_t aegis_key_epoch(const aegis_key *key);

/* Room for the sealed form of a value of so many bytes, its NUL included; 0 when it is too long. */
size_t aegis_sealed_size(const aegis_key *key, size_t plaintext_size);

/* Seals a text in UTF-8 into armor ("A1.", NUL-terminated), which the column of this field takes.
 * In a searchable field it carries its search token: pass it in a comparison to find equal values.
 * *written is the length without the NUL. */
aegis_status aegis_seal(aegis_key *key, const void *plaintext, size_t plaintext_size, char *armor, size_t room, size_t *written);

/* Opens armor (NUL-terminated). No byte is written unless all of it is authentic. */
aegis_status aegis_open(aegis_key *key, const char *armor, void *plaintext, size_t room, size_t *written);

/* The search token of a value: what equal values of one type and tenant have in common. */
aegis_status aegis_token(aegis_key *key, const void *value, size_t value_size, uint8_t *token);

#ifdef __cplusplus
}
#endif

#endif

// SPDX-License-Identifier: Apache-2.0
// What libargon2 costs alone: the floor under a sign-in. Prints the milliseconds of one Argon2id hash with the
// settings that Aegis has unless told otherwise; the argument is how many hashes it takes the average of.
#include <argon2.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec * 1000 + (double)at.tv_nsec * 1e-6;
}

int main(int count, char **arguments) {
    static const char password[] = "seven-quiet-otters-dance-91", salt[] = "sixteen of bytes";
    unsigned char tag[32];
    int hashes = count > 1 ? atoi(arguments[1]) : 20;
    double began = now();
    for (int i = 0; i < hashes; i++)
        if (argon2id_hash_raw(2, 19456, 1, password, sizeof password - 1, salt, sizeof salt - 1, tag, sizeof tag) != ARGON2_OK) {
            fputs("argon2_floor: libargon2 failed\n", stderr);
            return 1;
        }
    printf("%.3f\n", (now() - began) / hashes);
    return 0;
}

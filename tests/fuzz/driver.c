/*
 * A fuzz target as a plain test: runs it over every file of a corpus, then over mutations of them from a
 * fixed seed. scripts/fuzz builds the same targets with libFuzzer instead.
 *
 *     TARGET CORPUS [MUTATIONS [SEED]]
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX 4096
#define INPUTS_MAX 200

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

typedef struct input {
    uint8_t data[INPUT_MAX];
    size_t bytes;
} input;

static input inputs[INPUTS_MAX];

static uint64_t next(uint64_t *state) /* SplitMix64 */
{
    uint64_t z = *state += 0x9e3779b97f4a7c15ULL;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
    return z ^ z >> 31;
}

static int read_corpus(const char *folder)
{
    DIR *directory = opendir(folder);
    char path[600];
    int count = 0;

    for (struct dirent *entry; directory && count < INPUTS_MAX && (entry = readdir(directory)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        FILE *file = fopen(path, "rb");
        if (!file)
            continue;
        inputs[count].bytes = fread(inputs[count].data, 1, INPUT_MAX, file);
        fclose(file);
        count++;
    }
    if (directory)
        closedir(directory);
    return count;
}

/* Flips, sets, inserts and removes a few bytes. */
static void mutate(input *mutant, uint64_t *state)
{
    for (uint64_t changes = 1 + next(state) % 4; changes; changes--) {
        size_t at = mutant->bytes ? (size_t)(next(state) % mutant->bytes) : 0;

        switch (next(state) % 4) {
        case 0:
            mutant->data[at] ^= (uint8_t)(1 << next(state) % 8);
            break;
        case 1:
            mutant->data[at] = (uint8_t)next(state);
            break;
        case 2:
            if (mutant->bytes < INPUT_MAX) {
                memmove(mutant->data + at + 1, mutant->data + at, mutant->bytes - at);
                mutant->data[at] = (uint8_t)next(state);
                mutant->bytes++;
            }
            break;
        default:
            if (mutant->bytes > 1) {
                memmove(mutant->data + at, mutant->data + at + 1, mutant->bytes - at - 1);
                mutant->bytes--;
            }
        }
    }
}

int main(int argc, char **argv)
{
    int count = argc > 1 ? read_corpus(argv[1]) : 0, mutations = argc > 2 ? atoi(argv[2]) : 2000;
    uint64_t state = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
    static input mutant;

    if (count == 0) {
        fprintf(stderr, "usage: %s CORPUS [MUTATIONS [SEED]]; and there is no corpus\n", argv[0]);
        return 2;
    }
    for (int i = 0; i < count; i++)
        LLVMFuzzerTestOneInput(inputs[i].data, inputs[i].bytes);
    for (int i = 0; i < mutations; i++) {
        if (i % 8 == 0) /* several changes on top of each other */
            mutant = inputs[next(&state) % (uint64_t)count];
        mutate(&mutant, &state);
        LLVMFuzzerTestOneInput(mutant.data, mutant.bytes);
    }
    printf("%d inputs and %d mutations\n", count, mutations);
    return 0;
}

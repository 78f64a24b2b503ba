/* The nearest word of spelling.h: Damerau's distance, or a word that the text begins with ("bind-to"). */
#include "tools/muster/spelling.h"

#include <string.h>

enum { LETTERS_MAX = 40, SHORT_WORD = 4, PREFIX_MIN = 3 };

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* How many letters must be left out, put in, changed, or swapped with their neighbour. */
static int distance_of(const char *a, size_t a_bytes, const char *b, size_t b_bytes)
{
    int rows[LETTERS_MAX + 1][LETTERS_MAX + 1];

    for (size_t i = 0; i <= a_bytes; i++)
        for (size_t k = 0; k <= b_bytes; k++) {
            if (i == 0 || k == 0) {
                rows[i][k] = (int)(i + k);
                continue;
            }
            int changed = rows[i - 1][k - 1] + (a[i - 1] != b[k - 1]);
            rows[i][k] = least(changed, 1 + least(rows[i - 1][k], rows[i][k - 1]));
            if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1])
                rows[i][k] = least(rows[i][k], rows[i - 2][k - 2] + 1);
        }
    return rows[a_bytes][b_bytes];
}

cli_spelling spelling_of(const char *text)
{
    int wrong_max = strlen(text) > SHORT_WORD ? 2 : 1;

    return (cli_spelling){ text, NULL, wrong_max + 1 };
}

void spelling_try(cli_spelling *spelling, const char *word)
{
    size_t text_bytes = strlen(spelling->text), word_bytes = strlen(word);

    if (text_bytes > LETTERS_MAX || word_bytes > LETTERS_MAX)
        return;
    int distance = distance_of(spelling->text, text_bytes, word, word_bytes);
    if (word_bytes >= PREFIX_MIN && strncmp(spelling->text, word, word_bytes) == 0)
        distance = least(distance, 2);
    if (distance >= spelling->distance)
        return;
    spelling->nearest = word;
    spelling->distance = distance;
}

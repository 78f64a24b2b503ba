/*
 * The model that train.c trains: it reads CONTEXT bytes, an embedding of each, two dense layers, and gives a
 * softmax over the next byte.
 *
 * All parameters are one array, so that gradients travel in buckets whatever they belong to.
 */
#ifndef NETWORK_H
#define NETWORK_H

#include <stddef.h>

enum { CONTEXT = 16, WIDTH = 16, INPUT = CONTEXT * WIDTH, HIDDEN = 256, VALUES = 256 };

enum parameter { EMBEDDING, WEIGHTS_1, BIAS_1, WEIGHTS_2, BIAS_2, PARAMETERS };

/* Where a parameter begins in the array; PARAMETERS: the length of all. Constants, for compilers. */
static inline size_t network_offset(enum parameter which)
{
    static const size_t sizes[PARAMETERS] = { VALUES * WIDTH, INPUT * HIDDEN, HIDDEN, HIDDEN * VALUES,
                                              VALUES };
    size_t offset = 0;

    for (int i = 0; i < (int)which; i++)
        offset += sizes[i];
    return offset;
}

#define NETWORK_PARAMETERS network_offset(PARAMETERS)

typedef struct network {
    float *weights, *gradients;
    float *input, *hidden, *output; /* of some samples */
    float *d_hidden, *d_input;
} network;

/* The embeddings of a context, as one row of the input. */
void network_look_up(const network *net, const unsigned char *context, float *input);

/* From the input to hidden and output (probabilities), for `rows` samples. */
void network_forward(network *net, int rows);

/* From probabilities and targets to gradients, those of `rows` samples added up. */
void network_backward(network *net, const unsigned char *const *samples, int rows);

#endif

/* The network of network.h, in plain loops that compilers make vectors of. */
#include "network.h"

#include <math.h>
#include <string.h>

/* out[i] += a[i] * b for rows i: (rows x inner) times (inner x columns) */
static void multiply(float *out, const float *a, const float *b, int rows, int inner, int columns)
{
    for (int i = 0; i < rows; i++)
        for (int k = 0; k < inner; k++) {
            float factor = a[i * inner + k];

            for (int j = 0; j < columns; j++)
                out[i * columns + j] += factor * b[k * columns + j];
        }
}

/* out += transposed(a) * b */
static void multiply_transposed(float *out, const float *a, const float *b, int rows, int inner, int columns)
{
    for (int i = 0; i < rows; i++)
        for (int k = 0; k < inner; k++) {
            float factor = a[i * inner + k];

            for (int j = 0; j < columns; j++)
                out[k * columns + j] += factor * b[i * columns + j];
        }
}

/* out = b * transposed(a); eight partial sums, so that the compiler can use vectors */
static void multiply_by_transposed(float *out, const float *b, const float *a, int rows, int inner,
                                   int columns)
{
    for (int i = 0; i < rows; i++)
        for (int k = 0; k < inner; k++) {
            float sums[8] = { 0 };

            for (int j = 0; j < columns; j += 8)
                for (int s = 0; s < 8; s++)
                    sums[s] += b[i * columns + j + s] * a[k * columns + j + s];
            out[i * inner + k] =
                ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
        }
}

void network_look_up(const network *net, const unsigned char *context, float *input)
{
    const float *embedding = net->weights + network_offset(EMBEDDING);

    for (int i = 0; i < CONTEXT; i++)
        memcpy(input + i * WIDTH, embedding + context[i] * WIDTH, WIDTH * sizeof(float));
}

void network_forward(network *net, int rows)
{
    const float *bias_1 = net->weights + network_offset(BIAS_1),
                *bias_2 = net->weights + network_offset(BIAS_2);

    for (int i = 0; i < rows; i++) {
        memcpy(net->hidden + i * HIDDEN, bias_1, HIDDEN * sizeof(float));
        memcpy(net->output + i * VALUES, bias_2, VALUES * sizeof(float));
    }
    multiply(net->hidden, net->input, net->weights + network_offset(WEIGHTS_1), rows, INPUT, HIDDEN);
    for (int i = 0; i < rows * HIDDEN; i++)
        net->hidden[i] = net->hidden[i] > 0 ? net->hidden[i] : 0;
    multiply(net->output, net->hidden, net->weights + network_offset(WEIGHTS_2), rows, HIDDEN, VALUES);
    for (int i = 0; i < rows; i++) {
        float *row = net->output + i * VALUES, highest = row[0], sum = 0;

        for (int j = 1; j < VALUES; j++)
            highest = row[j] > highest ? row[j] : highest;
        for (int j = 0; j < VALUES; j++)
            sum += row[j] = expf(row[j] - highest);
        for (int j = 0; j < VALUES; j++)
            row[j] /= sum;
    }
}

void network_backward(network *net, const unsigned char *const *samples, int rows)
{
    float *gradients = net->gradients, *bias_1 = gradients + network_offset(BIAS_1);
    float *bias_2 = gradients + network_offset(BIAS_2), *embedding = gradients + network_offset(EMBEDDING);

    for (int i = 0; i < rows; i++) {
        net->output[i * VALUES + samples[i][CONTEXT]] -= 1;
        for (int j = 0; j < VALUES; j++)
            bias_2[j] += net->output[i * VALUES + j];
    }
    multiply_transposed(gradients + network_offset(WEIGHTS_2), net->hidden, net->output, rows, HIDDEN,
                        VALUES);
    multiply_by_transposed(net->d_hidden, net->output, net->weights + network_offset(WEIGHTS_2), rows, HIDDEN,
                           VALUES);
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < HIDDEN; j++) {
            if (net->hidden[i * HIDDEN + j] <= 0)
                net->d_hidden[i * HIDDEN + j] = 0;
            bias_1[j] += net->d_hidden[i * HIDDEN + j];
        }
    multiply_transposed(gradients + network_offset(WEIGHTS_1), net->input, net->d_hidden, rows, INPUT,
                        HIDDEN);
    multiply_by_transposed(net->d_input, net->d_hidden, net->weights + network_offset(WEIGHTS_1), rows, INPUT,
                           HIDDEN);
    for (int i = 0; i < rows; i++)
        for (int c = 0; c < CONTEXT; c++)
            for (int j = 0; j < WIDTH; j++)
                embedding[samples[i][c] * WIDTH + j] += net->d_input[i * INPUT + c * WIDTH + j];
}

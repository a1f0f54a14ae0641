#pragma once
#ifdef __cplusplus
extern "C"
#endif
int answer(double x);

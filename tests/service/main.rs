//! Black box tests of the service layer.

mod rate_limit;

mod presence_state;

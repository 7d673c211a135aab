"""What the program does, with no Qt in it: state, commands, actions and the controllers that drive viewports."""

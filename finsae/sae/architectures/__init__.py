"""The architectures of sparse autoencoders, one file each; `finsae.plugins.MENU` names them."""
